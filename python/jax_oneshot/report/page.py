# SPDX-License-Identifier: Apache-2.0
"""Writes the report as one self-contained HTML page.

The tables are in the page as plain HTML. The details of a module, above all its texts, are packed (gzip, base64) and
unpacked by the browser when the module is opened: 50 modules of 5,000 instructions are 100 MB of text.
"""

from __future__ import annotations

import base64
import gzip
import importlib.resources
import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2

from jax_oneshot import reasons
from jax_oneshot.report import graph, row_program
from jax_oneshot.report.calls import Call
from jax_oneshot.report.document import VERDICTS, ReadModule

_PACKING = 5  # gzip level: half the time of 9, a few per cent larger
_UNITS = ("B", "KiB", "MiB", "GiB")


def render(document: dict[str, Any], modules: Sequence[ReadModule], folder: pathlib.Path, page: pathlib.Path) -> str:
    """The page as HTML.

    Args:
      document: see document.py.
      modules: in the document's order.
      folder: the dump folder.
      page: where the page will be; links to the dumped files are relative to it.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"bytes": readable_bytes, "basename": lambda path: path.rpartition("/")[2]}
    detail = environment.get_template("all_reduce.html.j2")
    return environment.get_template("page.html.j2").render(
        document=document,
        verdicts=VERDICTS,
        packed=[_packed(module, detail) for module in modules],
        link=os.path.relpath(folder.resolve(), page.resolve().parent),
        style=_template("style.css"),
        script=_template("page.js"),
    )


def readable_bytes(count: float) -> str:
    """`64 KiB`."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.3g} {unit}"


def _packed(module: ReadModule, detail: jinja2.Template) -> str:
    contents = {
        "before": module.dumped.before,
        "after": None if module.after is module.before else module.dumped.after,
        "details": [_detail(entry, call, detail) for entry, call in _entries(module)],
        "marks": _marks(module),
        "goals": [_goal(module, entry, call) for entry, call in _entries(module)],
    }
    return base64.b64encode(gzip.compress(json.dumps(contents).encode(), _PACKING, mtime=0)).decode()


def _entries(module: ReadModule) -> Iterable[tuple[dict[str, Any], Call | None]]:
    return zip(module.summary["all_reduces"], module.calls, strict=True)


def _detail(entry: dict[str, Any], call: Call | None, template: jinja2.Template) -> str:
    try:
        program = row_program.parse(entry["row_program"]) if entry["row_program"] else None
    except ValueError:
        program = None
    drawing = graph.draw(program, call.reads, call.returns) if program and call else ""
    known = reasons.of_verdict(entry)
    return template.render(
        entry=entry,
        call=call,
        lines=row_program.readable_lines(program) if program else [],
        program=program,
        drawing=drawing,
        known=known,
        others=[name for name in call.all_reduces if name != entry["name"]] if call else [],
    )


def _marks(module: ReadModule) -> dict[str, list[list[Any]]]:
    """Per side: [line, index of the all-reduce, verdict] of every line to highlight."""
    before: list[list[Any]] = []
    after: list[list[Any]] = []
    for number, (entry, call) in enumerate(_entries(module)):
        goal = _goal(module, entry, call)
        lines_before = {goal["before"], *(call.lines_before if call else ())}
        lines_after = {goal["after"], *(call.result_lines if call else ())}
        before += [[line, number, entry["verdict"]] for line in _sorted(lines_before)]
        after += [[line, number, entry["verdict"]] for line in _sorted(lines_after)]
    return {"before": before, "after": after}


def _sorted(lines: Iterable[int | None]) -> list[int]:
    return sorted(line for line in lines if line is not None)


def _goal(module: ReadModule, entry: dict[str, Any], call: Call | None) -> dict[str, int | None]:
    """Per side, the line to scroll to for an all-reduce: before, itself; after, its call, or itself if it was kept."""
    after = call.line_after if call else module.after.line_of(entry["computation"], entry["name"])
    return {"before": None if entry["line"] is None else entry["line"] - 1, "after": after}


def _template(name: str) -> str:
    return importlib.resources.files("jax_oneshot.report").joinpath("templates", name).read_text()
