# SPDX-License-Identifier: Apache-2.0
"""Indexes the text of an HLO module: the lines of its instructions, and what their metadata says.

The report says which instructions a call replaced; this only finds them in the text.
"""

from __future__ import annotations

import functools
import re

_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?([\w.\-]+) = ")
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.\-]+) (?:\(.*)?\{$")
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_FRAME = re.compile(r"stack_frame_id=(\d+)")
_OLD_SOURCE = re.compile(r'source_file="([^"]*)" source_line=(\d+)')
_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
_ENTRY = re.compile(r"(\d+) (.*)")


class HloText:
    """One module's text. Line numbers are from 0."""

    def __init__(self, text: str) -> None:
        """Indexes the text; text that is not HLO has no instructions."""
        self.lines = text.splitlines()
        self._line_of: dict[tuple[str, str], int] = {}
        self._lines_of: dict[str, list[int]] = {}
        computation = ""
        for number, line in enumerate(self.lines):
            if line[:1] == " ":
                if computation and (found := _INSTRUCTION.match(line)):
                    self._line_of[computation, found[1]] = number
                    self._lines_of[computation].append(number)
            elif line[-1:] == "{" and (found := _COMPUTATION.match(line)):
                computation = found[1]
                self._lines_of.setdefault(computation, [])

    def body_lines(self, computation: str) -> list[int]:
        """The lines of a computation's instructions."""
        return self._lines_of.get(computation, [])

    def line_of(self, computation: str, name: str) -> int | None:
        """The line of an instruction, or None."""
        return self._line_of.get((computation, name))

    def op_name(self, line: int) -> str:
        """JAX's name of the operation, `jit(step)/add`; empty if the line's metadata has none."""
        found = _OP_NAME.search(self.lines[line])
        return found[1] if found else ""

    def source(self, line: int) -> str:
        """`model.py:20`, the innermost frame of the line's metadata; empty if it has none."""
        if old := _OLD_SOURCE.search(self.lines[line]):
            return f"{old[1]}:{old[2]}"
        found = _FRAME.search(self.lines[line])
        return self._frames.get(found[1], "") if found else ""

    @functools.cached_property
    def _frames(self) -> dict[str, str]:
        """Source location by number of the stack frame."""
        tables: dict[str, dict[str, str]] = {name: {} for name in _TABLES}
        current: dict[str, str] = {}
        for line in self.lines:
            if line in tables:
                current = tables[line]
            elif found := _ENTRY.fullmatch(line):
                current[found[1]] = found[2]
            elif line.endswith("{"):
                break
        files, locations = tables["FileNames"], tables["FileLocations"]
        return {
            number: _location(files, locations.get(_field(frame, "file_location_id"), ""))
            for number, frame in tables["StackFrames"].items()
        }


def _field(text: str, name: str) -> str:
    found = re.search(rf"\b{name}=(\d+)", text)
    return found[1] if found else ""


def _location(files: dict[str, str], location: str) -> str:
    file = files.get(_field(location, "file_name_id"), "").strip('"')
    return f"{file}:{_field(location, 'line')}" if file else ""
