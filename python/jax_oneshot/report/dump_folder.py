# SPDX-License-Identifier: Apache-2.0
"""Reads a dump folder: its modules in the order of compilation, and problems with its files."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from jax_oneshot import dumps

_NEEDED = ("module", "platform", "pass_ms", "all_reduces", "collectives_before", "collectives_after")


class FolderError(ValueError):
    """The folder does not exist or has no report; the message says which."""


@dataclasses.dataclass(frozen=True)
class DumpedModule:
    """The three files of one module.

    Attributes:
      stem: the common start of their names, `0007.jit_decode.cpu`.
      report: the contents of report.json.
      before, after: the HLO texts; empty where a file is missing.
    """

    stem: str
    report: dict[str, Any]
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class Dumps:
    """Attributes: path of the folder; modules; one sentence per file that could not be used."""

    folder: pathlib.Path
    modules: list[DumpedModule]
    problems: list[str]


def read(folder: pathlib.Path) -> Dumps:
    """Reads a dump folder.

    Raises:
      FolderError: there is no such folder, or no report in it.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder} is no folder; expected the one that JAX_ONESHOT_DUMP_TO named")
    paths = sorted(folder.glob(f"*{dumps.REPORT}"), key=_order)
    if not paths:
        raise FolderError(
            f"{folder} holds no *{dumps.REPORT}. A program writes them when it runs with JAX_ONESHOT=1 and "
            f"JAX_ONESHOT_DUMP_TO={folder}, one for each module that it compiles and that holds an all-reduce; "
            "`jax-oneshot doctor` says what may be in the way"
        )
    problems: list[str] = []
    modules = [module for path in paths if (module := _read_module(path, problems)) is not None]
    return Dumps(folder, modules, problems)


def _order(path: pathlib.Path) -> tuple[int, str]:
    number = path.name.partition(".")[0]
    return (int(number) if number.isdigit() else 0, path.name)


def _read_module(path: pathlib.Path, problems: list[str]) -> DumpedModule | None:
    try:
        report = json.loads(path.read_text())
        missing = [key for key in _NEEDED if key not in report]
        schema = report.get("schema")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        problems.append(f"{path.name} is no report: {error}")
        return None
    if schema != dumps.SCHEMA or missing:
        found = f"schema {schema}" + (f" without {', '.join(missing)}" if missing else "")
        problems.append(f"{path.name} was written by another version: expected schema {dumps.SCHEMA}, got {found}")
        return None
    stem = path.name.removesuffix(dumps.REPORT)
    texts = [_read_text(path.with_name(stem + end), problems) for end in (dumps.BEFORE, dumps.AFTER)]
    return DumpedModule(stem, report, *texts)


def _read_text(path: pathlib.Path, problems: list[str]) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror}")
        return ""
