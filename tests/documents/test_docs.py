# SPDX-License-Identifier: Apache-2.0
"""The documents: generated parts are up to date, links resolve, and quoted messages are in the code."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest
from jax_oneshot import config
from jax_process import REPOSITORY
from test_saved_executables import XLA_NOT_REGISTERED

DOCS = sorted([*REPOSITORY.glob("docs/*.md"), REPOSITORY / "README.md"])


def without_breaks(text: str) -> str:
    """A source with the literals that were broken over lines joined again."""
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_what_is_written_from_the_code_is_up_to_date() -> None:
    command = [sys.executable, "tools/fill_docs.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_has_a_section_with_values_and_default() -> None:
    text = (REPOSITORY / "docs" / "environment.md").read_text()
    sections = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(config.VARIABLES)
    for name, section in sections.items():
        assert "- Values: " in section, name
        assert "- Unset: " in section, name


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: pathlib.Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", text):
        assert link.startswith("https://") or (path.parent / link).exists(), f"{path.name} links to {link}"


def test_every_document_is_linked_from_the_readme_or_another_one() -> None:
    linked = {link for path in DOCS for link in re.findall(r"([\w]+\.md)", path.read_text())}
    assert {path.name for path in REPOSITORY.glob("docs/*.md")} <= linked


def test_the_headings_of_troubleshooting_are_messages_of_the_code() -> None:
    headings = re.findall(r"^## `(.*)`$", (REPOSITORY / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(headings) > 5
    suffixes = (".py", ".cc", ".h", ".inc")
    folders = ("base", "row_program", "python", "xla_pass", "ffi_kernels")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*") if path.suffix in suffixes]
    code = "\n".join(without_breaks(path.read_text()) for path in files)
    for heading in headings:
        if heading.startswith(XLA_NOT_REGISTERED):
            continue  # XLA's message; tests/plugin/test_saved_executables.py provokes it
        longest = max(heading.split("…"), key=len)
        assert len(longest) > 10, heading
        assert longest in code, f"no source says {longest!r}"
