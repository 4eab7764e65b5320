# SPDX-License-Identifier: Apache-2.0
"""Formats a row program (docs/row_program.md) for reading.

x4: f32 row = multiply x3, x3; x5: f32 rowscalar = reduce_sum x4;
x6: f32 scalar = constant 0.5; x7: f32 rowscalar = multiply x5, x6
->  x4 = x3 * x3          f32 row
    x5 = row_sum(x4)      f32 rowscalar
    x7 = x5 * 0.5         f32 rowscalar
"""

from __future__ import annotations

import dataclasses

from jax_oneshot import _native

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
    operands: list[str]
    attribute: str

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
    """Parses the text of a row program. Raises ValueError."""
    parts = _native.row_program_structure(text)
    return RowProgram(
        tuple(Input(**one) for one in parts["inputs"]),
        tuple(Statement(**one) for one in parts["statements"]),
        tuple(Output(**one) for one in parts["outputs"]),
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
