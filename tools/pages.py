# SPDX-License-Identifier: Apache-2.0
"""Fills the part of a page between two markers, and writes or checks pages.

Shared by the tools that fill README and docs (fill_*.py), and defines their flag --check.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

_CHECK = flags.DEFINE_bool("check", False, "Write nothing; exit status 1 if a page would change.")

ROOT = pathlib.Path(__file__).resolve().parents[1]


def results(pattern: str) -> dict[str, dict[str, Any]]:
    """Contents of the committed results files whose names match `pattern`, by name without suffix."""
    paths = sorted((ROOT / "benchmarks" / "results").glob(f"{pattern}.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def between(page: str, name: str, markers: tuple[str, str], text: str) -> str:
    """`page`, called `name`, with `text` between its marker lines. Raises ValueError if one is missing."""
    begin, end = markers
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"{name} lacks the lines {begin.strip()!r} and {end.strip()!r}")
    return f"{before}{begin}{text}{end}{after}"


def write(pages: Mapping[pathlib.Path, str]) -> int:
    """Writes the pages that changed or, with --check, names those that would. Returns the exit status."""
    behind = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    for path in behind:
        if _CHECK.value:
            print(f"{path.relative_to(ROOT)} is behind its source; run `python tools/{pathlib.Path(sys.argv[0]).name}`")
        else:
            path.write_text(pages[path])
    return int(_CHECK.value and bool(behind))
