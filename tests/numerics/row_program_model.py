# SPDX-License-Identifier: Apache-2.0
"""Row programs as Python values: their text, and their results in float64 by numpy.

A second implementation to compare the scalar evaluator with: every operation in float64, rounded to f32 and then to the
statement's dtype. It follows docs/row_program.md and works on whole arrays; a value is [rows, width], with 1 for a
dimension over which it does not vary.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Wide = NDArray[np.float64]

DTYPES: dict[str, np.dtype[Any]] = {
    "pred": np.dtype(np.bool_),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f8e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "f8e5m2": np.dtype(ml_dtypes.float8_e5m2),
}
# Kind -> whether it varies over (rows, width).
KINDS: dict[str, tuple[bool, bool]] = {
    "scalar": (False, False),
    "vec": (False, True),
    "rowscalar": (True, False),
    "row": (True, True),
}
DIRECTIONS: dict[str, Callable[[Array, Array], Array]] = {
    "EQ": np.equal,
    "NE": np.not_equal,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
}


def _round_away(x: Wide) -> Wide:
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


def _multiply_add(x: Wide, y: Wide, z: Wide) -> Wide:
    """x * y + z of f32 numbers, rounded to odd in float64, so that rounding it to f32 rounds the exact result."""
    product = x * y  # exact: 24 bits times 24
    total = product + z
    back = total - product
    lost = (product - (total - back)) + (z - back)
    inexact = np.isfinite(total) & (lost != 0) & (total.view(np.int64) & 1 == 0)
    return np.where(inexact, np.nextafter(total, np.copysign(np.inf, lost)), total)


UNARY: dict[str, Callable[[Wide], Array]] = {
    "abs": np.abs,
    "negate": np.negative,
    "sign": lambda x: np.where(x == 0, x, np.sign(x)),
    "floor": np.floor,
    "ceil": np.ceil,
    "round_nearest_even": np.rint,
    "round_nearest_afz": _round_away,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "exponential": np.exp,
    "exponential_minus_one": np.expm1,
    "log": np.log,
    "log_plus_one": np.log1p,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "tan": np.tan,
    "sine": np.sin,
    "cosine": np.cos,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
}
BINARY: dict[str, Callable[[Wide, Wide], Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": np.power,
    "remainder": np.fmod,
    "atan2": np.arctan2,
}
LOGIC: dict[str, Callable[[Array, Array], Array]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a program: `role` is sum, max, min, gather or local."""

    role: str
    dtype: str
    kind: str


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement; `attribute` is an input's index, a constant's value or a comparison direction, if it has one."""

    op: str
    dtype: str
    kind: str
    operands: tuple[int, ...] = ()
    attribute: int | float | str | None = None

    def __str__(self) -> str:
        words = [f"x{i}" for i in self.operands]
        if self.op in ("all_reduce", "all_gather", "load"):
            words.append(f"a{self.attribute}")
        elif self.op == "compare":
            words.append(f"direction={self.attribute}")
        elif self.attribute is not None:
            words.append(str(self.attribute))
        return f"{self.dtype} {self.kind} = {self.op} {', '.join(words)}"


@dataclasses.dataclass(frozen=True)
class Program:
    """A row program; every output is (value, kind), and is sharded if its index is in `shards`."""

    inputs: Sequence[Input]
    statements: Sequence[Statement]
    outputs: Sequence[tuple[int, str]]
    shards: frozenset[int] = frozenset()

    def __str__(self) -> str:
        inputs = ", ".join(f"a{i}: {x.role} {x.dtype} {x.kind}" for i, x in enumerate(self.inputs))
        statements = "; ".join(f"x{i}: {s}" for i, s in enumerate(self.statements))
        outputs = ", ".join(
            f"x{value}: {kind}{' shard' if i in self.shards else ''}" for i, (value, kind) in enumerate(self.outputs)
        )
        return f"v1 ({inputs}) {{ {statements} }} -> ({outputs})"


def join(*kinds: str) -> str:
    """The narrowest kind that varies over all that `kinds` vary over."""
    varies = tuple(any(KINDS[kind][axis] for kind in kinds) for axis in (0, 1))
    return next(kind for kind, axes in KINDS.items() if axes == varies)


def shape_of(kind: str, rows: int, width: int) -> tuple[int, int]:
    """Shape of a value in this model, [rows or 1, width or 1]."""
    over_rows, over_width = KINDS[kind]
    return (rows if over_rows else 1, width if over_width else 1)


def round_to(dtype: str, value: Array) -> Array:
    """`value` (any float type) as `dtype`, through f32, to nearest even; pred: whether it is not zero."""
    if dtype == "pred":
        return np.asarray(value != 0)
    return value.astype(np.float32).astype(DTYPES[dtype])


def evaluate(program: Program, rows: int, width: int, rank: int, inputs: Sequence[Sequence[Array]]) -> list[Array]:
    """One rank's outputs; `inputs[rank][i]` has the dtype of input i and its shape by `shape_of`.

    For a sharded input or output, the width is width / number of ranks.
    """
    values: list[Array] = []
    with np.errstate(all="ignore"):
        for statement in program.statements:
            if statement.op == "all_reduce":
                index = int(statement.attribute or 0)
                value = _combine(program.inputs[index].role, [of_rank[index] for of_rank in inputs])
            elif statement.op == "all_gather":
                value = np.concatenate([of_rank[int(statement.attribute or 0)] for of_rank in inputs], axis=1)
            elif statement.op == "load":
                value = inputs[rank][int(statement.attribute or 0)]
            else:
                value = _apply(statement, [values[i] for i in statement.operands], (rows, width))
            values.append(round_to(statement.dtype, value))
    whole = [np.broadcast_to(values[value], shape_of(kind, rows, width)) for value, kind in program.outputs]
    ranks = len(inputs)
    return [np.split(x, ranks, axis=1)[rank] if i in program.shards else x for i, x in enumerate(whole)]


def _combine(role: str, parts: Sequence[Array]) -> Array:
    narrow = [part.astype(np.float32) for part in parts]
    total = np.full_like(narrow[0], {"sum": 0, "max": -np.inf, "min": np.inf}[role])
    combine = {"sum": np.add, "max": np.fmax, "min": np.fmin}[role]
    for part in narrow:
        total = combine(total, part)
    return total


def _apply(statement: Statement, operands: Sequence[Array], extent: tuple[int, int]) -> Array:
    op = statement.op
    if op == "constant":
        return np.full((1, 1), float(statement.attribute or 0))
    if op == "select":
        return np.where(operands[0], operands[1].astype(np.float64), operands[2].astype(np.float64))
    if op in LOGIC:
        return LOGIC[op](operands[0], operands[1])
    wide = [operand.astype(np.float64) for operand in operands]
    if op == "broadcast":
        return np.broadcast_to(wide[0], shape_of(statement.kind, *extent))
    if op in ("reduce_sum", "reduce_max", "reduce_min"):
        # accumulate, not reduce: goes column by column, while numpy's reduce sums pairwise.
        add = {"reduce_sum": np.add, "reduce_max": np.maximum, "reduce_min": np.minimum}[op]
        return np.asarray(add.accumulate(wide[0], axis=1)[:, -1:])
    return _elementwise(statement, wide)


def _elementwise(statement: Statement, wide: Sequence[Wide]) -> Array:
    op = statement.op
    if op in UNARY:
        return UNARY[op](wide[0])
    if op in BINARY:
        return BINARY[op](wide[0], wide[1])
    if op == "compare":
        return DIRECTIONS[str(statement.attribute)](wide[0], wide[1])
    if op == "multiply_add":
        return _multiply_add(*wide)
    if op == "clamp":
        return np.minimum(np.maximum(wide[0], wide[1]), wide[2])
    if op == "is_finite":
        return np.isfinite(wide[0])
    if op == "not":
        return np.logical_not(wide[0])
    assert op == "convert", op
    return wide[0]
