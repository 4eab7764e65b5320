# SPDX-License-Identifier: Apache-2.0
"""The report as plain values, which `--json` prints and the page shows.

{"schema": 1, "folder": "dumps", "problems": [...],
 "totals": {"modules": 2, "all_reduces": 18, "fused": 17, "plain": 0, "kept": 1, ...},
 "why_not": [{"reason": "the message of ... bytes ...", "count": 1, "advice": "...", "examples": [...]}],
 "modules": [{"stem": "0000.jit_decode.cpu", ..., "all_reduces": [{..., "source": "model.py:20", "program": [...]}]}]}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from jax_oneshot import dumps, reasons
from jax_oneshot.report import row_program
from jax_oneshot.report.calls import Call, read_call
from jax_oneshot.report.dump_folder import DumpedModule, Dumps
from jax_oneshot.report.hlo_text import HloText

VERDICTS = ("fused", "plain", "kept")


@dataclasses.dataclass(frozen=True)
class ReadModule:
    """A module with its texts indexed.

    Attributes:
      dumped: its files.
      before, after: the indexed texts.
      calls: the one-shot call of each all-reduce, None where it was kept; in the order of the summary.
      summary: its entry in the document.
    """

    dumped: DumpedModule
    before: HloText
    after: HloText
    calls: list[Call | None]
    summary: dict[str, Any]


def read_module(dumped: DumpedModule) -> ReadModule:
    """Indexes the texts of a module and builds its entry."""
    before = HloText(dumped.before)
    after = before if dumped.after == dumped.before else HloText(dumped.after)
    report = dumped.report
    calls = [read_call(one, before, after) for one in report["all_reduces"]]
    entries = [_entry(one, before) for one in report["all_reduces"]]
    summary = {
        "stem": dumped.stem,
        "files": [dumped.stem + end for end in (dumps.BEFORE, dumps.AFTER, dumps.REPORT)],
        **{key: value for key, value in report.items() if key not in ("schema", "all_reduces")},
        **_counts(entries),
        "bytes": sum(one["bytes"] for one in entries),
        "all_reduces": entries,
    }
    return ReadModule(dumped, before, after, calls, summary)


def document(read: Dumps, modules: Sequence[ReadModule]) -> dict[str, Any]:
    """The whole document."""
    summaries = [module.summary for module in modules]
    entries = [one for summary in summaries for one in summary["all_reduces"]]
    return {
        "schema": 1,
        "folder": read.folder.resolve().name,
        "problems": read.problems,
        "totals": {
            "modules": len(summaries),
            "all_reduces": len(entries),
            **_counts(entries),
            **{
                key: sum(summary[key] for summary in summaries)
                for key in ("collectives_before", "collectives_after", "bytes")
            },
            "pass_ms": round(sum(summary["pass_ms"] for summary in summaries), 3),
        },
        "why_not": _why_not(summaries),
        "modules": summaries,
    }


def _counts(entries: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {verdict: sum(one["verdict"] == verdict for one in entries) for verdict in VERDICTS}


def _entry(verdict: dict[str, Any], before: HloText) -> dict[str, Any]:
    line = before.line_of(verdict["computation"], verdict["name"])
    return {
        "measured": None,
        **verdict,
        "source": "" if line is None else before.source(line),
        "op_name": "" if line is None else before.op_name(line),
        "line": None if line is None else line + 1,
        "program": _program_lines(verdict["row_program"]),
    }


def _program_lines(text: str) -> list[str]:
    if not text:
        return []
    try:
        program = row_program.parse(text)
    except ValueError:
        return [text]
    lines = [f"{one.name}: {one.role} {one.dtype} {one.kind}" for one in program.inputs]
    lines += [f"{name} = {value}  # {kind}" for name, value, kind in row_program.readable_lines(program)]
    returned = [
        f"{row_program.operand_text(program, one.name)} ({one.kind}{' shard' if one.is_shard else ''})"
        for one in program.outputs
    ]
    return [*lines, f"return {', '.join(returned)}"]


def _why_not(summaries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All-reduces that were kept, grouped by reason; the most frequent first."""
    groups: dict[str, dict[str, Any]] = {}
    for module_number, summary in enumerate(summaries):
        for number, one in enumerate(summary["all_reduces"]):
            if one["verdict"] != "kept":
                continue
            known = reasons.of_verdict(one)
            message, advice = (known.message, known.advice) if known else (one["reason"], "")
            group = groups.setdefault(
                message, {"reason": message, "count": 0, "bytes": 0, "advice": advice, "all_reduces": []}
            )
            group["count"] += 1
            group["bytes"] += one["bytes"]
            group["all_reduces"].append(
                {
                    "module": summary["stem"],
                    "name": one["name"],
                    "reason": one["reason"],
                    "module_number": module_number,
                    "number": number,
                }
            )
    return sorted(groups.values(), key=lambda group: -group["count"])
