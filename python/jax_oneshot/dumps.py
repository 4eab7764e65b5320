# SPDX-License-Identifier: Apache-2.0
"""Writes three files per module into the dump folder: HLO before, HLO after, and the report.

    0007.jit_decode.cpu.before.hlo.txt
    0007.jit_decode.cpu.after.hlo.txt    the same text when nothing was rewritten
    0007.jit_decode.cpu.report.json      written last: where it exists, the other two do

If a program runs as several processes the name says which one: 0007.jit_decode.cpu.process1.report.json.
Numbers are unique, even if several processes dump into one folder or a folder is reused.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jax_oneshot.config import Platform

SCHEMA = 2

_MAX_NAME = 150  # leaves room for number, platform and suffix in a file name of 255 bytes
_NUMBER = re.compile(r"(\d{4,})\.")
_VERDICT_FIELDS = (
    "name",
    "computation",
    "in_loop",
    "shape",
    "group_size",
    "bytes",
    "verdict",
    "reason",
    "reason_id",
    "stop_id",
    "row_program",
    "absorbed",
    "outputs",
    "ends_graph",
    "kernel",
    "call",
)
BEFORE, AFTER, REPORT = ".before.hlo.txt", ".after.hlo.txt", ".report.json"


def build_report(
    native: Mapping[str, Any], platform: Platform, pass_ms: float, rewrites_before: int = 0
) -> dict[str, Any]:
    """The contents of report.json, from the native module's report (the fields of xla_pass/run_pass.h).

    Args:
      native: PassReport as a dict.
      platform: what the module was compiled for.
      pass_ms: wall time of the pass in milliseconds.
      rewrites_before: how many rewrites this process made before this module.
    """
    return {
        "schema": SCHEMA,
        "module": native["module"],
        "platform": platform,
        "num_partitions": native["num_partitions"],
        "num_replicas": native["num_replicas"],
        "pass_ms": round(pass_ms, 3),
        "all_reduces": [_verdict(verdict, rewrites_before) for verdict in native["all_reduces"]],
        "collectives_before": native["collectives_before"],
        "collectives_after": native["collectives_after"],
        "loops": native["loops"],
        "rotations": [_rotation(rotation, rewrites_before) for rotation in native["rotations"]],
        "calls_per_graph": native["calls_per_graph"],
        "why_calls_per_graph": native["why_calls_per_graph"],
    }


def _verdict(native: Mapping[str, Any], rewrites_before: int) -> dict[str, Any]:
    return {field: native[field] for field in _VERDICT_FIELDS} | _rewrite(native, rewrites_before)


def _rotation(native: Mapping[str, Any], rewrites_before: int) -> dict[str, Any]:
    return {**native, **_rewrite(native, rewrites_before)}


def _rewrite(native: Mapping[str, Any], rewrites_before: int) -> dict[str, Any]:
    number = native["rewrite"]
    return {"rewrite": rewrites_before + number if number else None}


def report_text(report: Mapping[str, Any]) -> str:
    """The text of report.json: indented, one trailing newline."""
    return json.dumps(report, indent=1) + "\n"


class Dumper:
    """Writes into one folder, which it creates with the first module."""

    def __init__(
        self, folder: pathlib.Path, to_text: Callable[[bytes], str], process: Callable[[], int | None] = lambda: None
    ) -> None:
        """A dumper that writes nothing yet.

        Args:
          folder: where to write.
          to_text: HLO text of a serialized HloModuleProto.
          process: this process's index, or None if it is the only one; called for every module.
        """
        self._folder = folder
        self._to_text = to_text
        self._process = process

    def dump(self, before: bytes, after: bytes | None, report: Mapping[str, Any]) -> pathlib.Path:
        """Writes the three files of one module and returns the path of its report.json.

        Args:
          before: serialized HloModuleProto before the pass.
          after: the same after the pass, or None when nothing was rewritten.
          report: see `build_report`.

        Raises:
          OSError: the folder or a file cannot be written.
          RuntimeError: a module cannot be printed.
        """
        before_text = self._to_text(before)
        after_text = before_text if after is None else self._to_text(after)
        process = self._process()
        name = f"{_file_name(report['module'])}.{report['platform']}"
        name += "" if process is None else f".process{process}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / ".lock"):
            stem = f"{_next_number(self._folder):04d}.{name}"
            write_atomically(self._folder / f"{stem}{BEFORE}", before_text.encode())
        write_atomically(self._folder / f"{stem}{AFTER}", after_text.encode())
        path = self._folder / f"{stem}{REPORT}"
        write_atomically(path, report_text(report).encode())
        return path


def adopt(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies the files of one dump folder into another, with numbers that follow those used there.

    Raises:
      OSError: the target cannot be written to.
    """
    target.mkdir(parents=True, exist_ok=True)
    with _locked(target / ".lock"):
        for report in sorted(source.glob(f"*{REPORT}")):
            stem = report.name.removesuffix(REPORT)
            renumbered = f"{_next_number(target):04d}.{stem.partition('.')[2]}"
            for end in (BEFORE, AFTER, REPORT):
                write_atomically(target / (renumbered + end), (source / (stem + end)).read_bytes())


def write_atomically(path: pathlib.Path, content: bytes) -> None:
    """Writes a file atomically, through a temporary one; writes directly to a device or pipe. Raises OSError."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()  # a symbolic link stays one
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _next_number(folder: pathlib.Path) -> int:
    found = (_NUMBER.match(entry) for entry in os.listdir(folder))
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _file_name(module: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", module)[:_MAX_NAME] or "module"


@contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    """Holds the file lock under which threads and processes take numbers."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
