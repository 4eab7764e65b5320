# SPDX-License-Identifier: Apache-2.0
"""Writes docs/environment.md, docs/reasons.md and README's table of variables from the code.

python tools/fill_docs.py            writes them
python tools/fill_docs.py --check    exit status 1 if one would change
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import pages
from absl import app
from jax_oneshot import config, reasons

MARKERS = (
    "<!-- variables: written by tools/fill_docs.py from python/jax_oneshot/config.py -->\n",
    "<!-- end of variables -->\n",
)
_WIDTH = 120
_ENVIRONMENT = """# Environment variables

<!-- This file is written by tools/fill_docs.py from python/jax_oneshot/config.py. -->

They are read once, when JAX starts. An empty variable counts as unset. With a value that cannot be used, or a name that
begins with `JAX_ONESHOT_` and is none of these, nothing is fused and one error names every mistake; `jax-oneshot
doctor` reports the same without running a model. Variables that change what is compiled are part of the key of JAX's
compilation cache.
"""
_REASONS = """# Why: every reason a report gives

<!-- This file is written by tools/fill_docs.py from xla_pass/verdict/reason_table.inc. -->

Each heading is a sentence of a report, with `…` where a name or a number stands. The list is complete: a test compares
it with the sources. `jax-oneshot report DIR` shows the advice beside each all-reduce that was kept.
"""


def environment() -> str:
    """The text of docs/environment.md."""
    sections = [
        f"## `{name}`\n\n{_paragraph(_sentence(variable.meaning.replace('docs/', '')))}\n\n"
        f"- Values: {variable.values}.\n- Unset: {variable.default}.\n"
        for name, variable in config.VARIABLES.items()
    ]
    return "\n".join([_ENVIRONMENT, *sections])


def reason_list() -> str:
    """The text of docs/reasons.md."""
    parts = [
        _REASONS,
        "## Kept: left to XLA\n",
        *_entries(reasons.of_kind("kept")),
        "## Fused and plain: where the region ends\n",
        *_entries(reasons.of_kind("ends")),
        "## Why a region ends there\n",
        *_entries(reasons.of_kind("stops")),
        "## Why a loop is not rotated\n",
        *_entries(reasons.of_kind("not_rotated")),
    ]
    return "\n".join(parts)


def filled(readme: str) -> str:
    """README's text with the table of variables. Raises ValueError if the markers are missing."""
    rows = [[f"`{name}`", variable.meaning] for name, variable in config.VARIABLES.items()]
    return pages.between(readme, "README.md", MARKERS, "\n".join(pages.table(["variable", "meaning"], rows)) + "\n")


def _entries(entries: Sequence[reasons.Reason]) -> Iterable[str]:
    for one in entries:
        meaning = _paragraph(f"`{one.id}`: {one.meaning}")
        yield f"### {one.message}\n\n{meaning}\n\n{_paragraph('What to do: ' + one.advice)}\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _paragraph(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def main(_: Sequence[str]) -> int:
    """Writes the pages, or with --check compares."""
    docs, readme = pages.ROOT / "docs", pages.ROOT / "README.md"
    filled_pages = {
        docs / "environment.md": environment(),
        docs / "reasons.md": reason_list(),
        readme: filled(readme.read_text()),
    }
    return pages.write(filled_pages)


if __name__ == "__main__":
    app.run(main)
