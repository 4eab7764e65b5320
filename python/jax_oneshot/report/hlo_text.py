# SPDX-License-Identifier: Apache-2.0
"""Indexes the text of an HLO module: instructions by name, parsed on demand, and source lines.

A module of many thousand lines is indexed in one cheap pass; only the few hundred lines that a report shows are parsed.
"""

from __future__ import annotations

import dataclasses
import functools
import re

_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?([\w.\-]+) = ")
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.\-]+) (?:\(.*)?\{$")
_COMMENT = re.compile(r"/\*.*?\*/")
_OPERAND = re.compile(r"%([\w.\-]+)")
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_FRAME = re.compile(r"stack_frame_id=(\d+)")
_OLD_SOURCE = re.compile(r'source_file="([^"]*)" source_line=(\d+)')
_ELEMENT = re.compile(r" get-tuple-element\(%([\w.\-]+)\)")
_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
_ENTRY = re.compile(r"(\d+) (.*)")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
      name: without the %.
      line: its line in the text, from 0.
      computation: name of the computation it is in.
      shape: `bf16[8,4096]{1,0}`, or a tuple of such.
      opcode: `all-reduce`.
      operands: names; none for a constant.
      attributes: what follows the operands.
    """

    name: str
    line: int
    computation: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    attributes: str

    @property
    def op_name(self) -> str:
        """JAX's name of the operation, `jit(step)/add`; empty if the metadata has none."""
        found = _OP_NAME.search(self.attributes)
        return found[1] if found else ""


class HloText:
    """One module's text."""

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
        """Line numbers, from 0, of a computation's instructions."""
        return self._lines_of.get(computation, [])

    def instruction(self, computation: str, name: str) -> Instruction | None:
        """The instruction, or None."""
        line = self._line_of.get((computation, name))
        return None if line is None else parse_instruction(self.lines[line], line, computation)

    def lines_with(self, words: str) -> list[Instruction]:
        """Every instruction whose line contains `words`."""
        return [
            parse_instruction(self.lines[line], line, computation)
            for (computation, _), line in self._line_of.items()
            if words in self.lines[line]
        ]

    def elements(self, tuple_value: Instruction) -> list[Instruction]:
        """The get-tuple-elements that read an instruction."""
        names = self._elements.get((tuple_value.computation, tuple_value.name), [])
        return [one for name in names if (one := self.instruction(tuple_value.computation, name)) is not None]

    @functools.cached_property
    def _elements(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for (computation, name), line in self._line_of.items():
            if source := _ELEMENT.search(self.lines[line]):
                found.setdefault((computation, source[1]), []).append(name)
        return found

    def source(self, instruction: Instruction) -> str:
        """`model.py:20`, the innermost frame of the instruction's metadata; empty if it has none."""
        if old := _OLD_SOURCE.search(instruction.attributes):
            return f"{old[1]}:{old[2]}"
        found = _FRAME.search(instruction.attributes)
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


def parse_instruction(line: str, number: int, computation: str) -> Instruction:
    """Parses `%name = shape opcode(operands), attributes`, a line that `HloText` indexed."""
    found = _INSTRUCTION.match(line)
    assert found is not None
    rest = line[found.end() :]
    shape_end = _closing(rest, 0) + 1 if rest.startswith("(") else rest.find(" ")
    opening = rest.find("(", shape_end)
    closing = _closing(rest, opening)
    opcode = rest[shape_end:opening].strip()
    operands = () if opcode == "constant" else tuple(_OPERAND.findall(rest[opening:closing]))
    shape = _COMMENT.sub("", rest[:shape_end])
    return Instruction(found[1], number, computation, shape, opcode, operands, rest[closing + 1 :].lstrip(", "))


def short_shape(shape: str) -> str:
    """`bf16[8,4096]` for `bf16[8,4096]{1,0}`."""
    return re.sub(r"\{[^}]*\}", "", shape)


def _closing(text: str, opening: int) -> int:
    """Index of the parenthesis that closes the one at `opening`; the text's length if none does."""
    depth = 0
    for found in re.compile(r"[()]").finditer(text, max(opening, 0)):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    return len(text)


def _field(text: str, name: str) -> str:
    found = re.search(rf"\b{name}=(\d+)", text)
    return found[1] if found else ""


def _location(files: dict[str, str], location: str) -> str:
    file = files.get(_field(location, "file_name_id"), "").strip('"')
    return f"{file}:{_field(location, 'line')}" if file else ""
