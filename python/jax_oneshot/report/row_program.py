# SPDX-License-Identifier: Apache-2.0
"""Parses the canonical text of a row program (docs/row_program.md) and formats it for reading.

    x4: f32 row = multiply x3, x3; x5: f32 rowscalar = reduce_sum x4;
    x6: f32 scalar = constant 0.5; x7: f32 rowscalar = multiply x5, x6
    ->  x4 = x3 * x3          f32 row
        x5 = row_sum(x4)      f32 rowscalar
        x7 = x5 * 0.5         f32 rowscalar

The native module defines the language. This parser only serves the report, which works without the native module.
"""

from __future__ import annotations

import dataclasses
import re

_PROGRAM = re.compile(r"v1 \((?P<inputs>.*?)\) \{ (?P<statements>.*) \} -> \((?P<outputs>.*)\)")
_INPUT = re.compile(r"(a\d+): (\w+) (\w+) (\w+)")
_STATEMENT = re.compile(r"(x\d+): (\w+) (\w+) = (\w+)(?: (.*))?")
_OUTPUT = re.compile(r"(x\d+): (\w+)( shard)?")
_INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "and": "&",
    "or": "|",
    "xor": "^",
    "power": "**",
    "remainder": "%",
}
_DIRECTIONS = {"EQ": "==", "NE": "!=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
_NAMES = {"reduce_sum": "row_sum", "reduce_max": "row_max", "reduce_min": "row_min", "exponential": "exp"}


class RowProgramError(ValueError):
    """The text is not a row program as the pass prints it."""


@dataclasses.dataclass(frozen=True)
class Input:
    """`a1: local bf16 vec`."""

    name: str
    role: str
    dtype: str
    kind: str


@dataclasses.dataclass(frozen=True)
class Statement:
    """`x9: f32 row = multiply x3, x8`.

    Attributes:
      name: `x9`.
      dtype, kind: of its value.
      op: `multiply`.
      operands: the statements it reads, by name.
      attribute: the input of a load, all_reduce or all_gather, the value of a constant, the direction of a comparison;
        else empty.
    """

    name: str
    dtype: str
    kind: str
    op: str
    operands: tuple[str, ...] = ()
    attribute: str = ""

    @property
    def reads_input(self) -> bool:
        """Whether `attribute` is the name of an input."""
        return self.op in ("all_reduce", "all_gather", "load")


@dataclasses.dataclass(frozen=True)
class Output:
    """`x9: row shard`."""

    name: str
    kind: str
    is_shard: bool


@dataclasses.dataclass(frozen=True)
class RowProgram:
    """The parts of a program, in program order."""

    inputs: tuple[Input, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[Output, ...]

    def statement(self, name: str) -> Statement:
        """The statement of this name; they are numbered in order."""
        return self.statements[int(name[1:])]


def parse(text: str) -> RowProgram:
    """Parses canonical text. Raises RowProgramError."""
    found = _PROGRAM.fullmatch(text)
    if not found:
        raise RowProgramError(f"expected `v1 (inputs) {{ statements }} -> (outputs)`, got {text[:80]!r}")
    return RowProgram(
        tuple(Input(*_fields(_INPUT, part)) for part in found["inputs"].split(", ") if part),
        tuple(_statement(part) for part in found["statements"].split("; ")),
        tuple(
            Output(name, kind, bool(shard))
            for name, kind, shard in (_fields(_OUTPUT, part) for part in found["outputs"].split(", "))
        ),
    )


def readable_lines(program: RowProgram) -> list[tuple[str, str, str]]:
    """(name, expression, type) of every statement but constants and loads, which are inlined where they are read."""
    return [
        (one.name, expression(program, one), f"{one.dtype} {one.kind}")
        for one in program.statements
        if one.op not in ("constant", "load")
    ]


def expression(program: RowProgram, one: Statement) -> str:
    """`x5 * 0.5` for a multiply of x5 by a constant."""
    if one.reads_input:
        return f"{one.op}({one.attribute})"
    operands = [operand_text(program, name) for name in one.operands]
    if one.op in _INFIX:
        return f" {_INFIX[one.op]} ".join(operands)
    if one.op == "compare":
        return f" {_DIRECTIONS[one.attribute]} ".join(operands)
    if one.op == "negate":
        return f"-{operands[0]}"
    if one.op == "convert":
        return f"{one.dtype}({operands[0]})"
    return f"{_NAMES.get(one.op, one.op)}({', '.join(operands)})"


def operand_text(program: RowProgram, name: str) -> str:
    """The text of an operand: a constant's value, a load's input, else the statement's name."""
    one = program.statement(name)
    return one.attribute if one.op in ("constant", "load") else name


def _statement(text: str) -> Statement:
    name, dtype, kind, op, rest = _fields(_STATEMENT, text)
    words = [word for word in (rest or "").split(", ") if word]
    if op == "compare":
        return Statement(name, dtype, kind, op, tuple(words[:2]), words[2].removeprefix("direction="))
    if op in ("constant", "all_reduce", "all_gather", "load"):
        return Statement(name, dtype, kind, op, (), words[0])
    return Statement(name, dtype, kind, op, tuple(words))


def _fields(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.fullmatch(text)
    if not found:
        raise RowProgramError(f"no part of a row program: {text[:80]!r}")
    return found.groups()
