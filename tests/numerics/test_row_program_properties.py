# SPDX-License-Identifier: Apache-2.0
"""Tests the scalar evaluator against numpy in float64 on random row programs, shapes and buffers.

Values are compared exactly, without a tolerance: both sides compute in double and round to f32, so they differ only if
numpy's and the C library's functions fall on different sides of an f32 tie. NaN payloads and the signs of zeros are not
compared, since the language does not specify them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Buffer

import numpy as np
import pytest
import row_program_model as model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jax_oneshot import _native
from row_program_model import Array, Input, Program, Statement

FLOATS = ["bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"]
# Role -> the op that reads it, its dtypes and its kinds; the other roles are read by all_reduce.
SOURCES = {
    "local": ("load", list(model.DTYPES), list(model.KINDS)),
    "gather": ("all_gather", ["bf16", "f16", "f32"], ["row", "vec"]),
}
REDUCTIONS = ["reduce_sum", "reduce_max", "reduce_min"]
PROPERTY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Builder:
    """Draws a valid program, one statement after the other."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.inputs: list[Input] = []
        self.statements: list[Statement] = []

    def add(self, op: str, dtype: str, kind: str, *operands: int, attribute: int | float | str | None = None) -> int:
        self.statements.append(Statement(op, dtype, kind, operands, attribute))
        return len(self.statements) - 1

    def add_input(self, role: str) -> None:
        op, dtypes, kinds = SOURCES.get(role, ("all_reduce", FLOATS, ["row"]))
        dtype, kind = self.draw(st.sampled_from(dtypes)), self.draw(st.sampled_from(kinds))
        self.inputs.append(Input(role, dtype, kind))
        result = self.draw(st.sampled_from(FLOATS)) if op == "all_reduce" else dtype
        self.add(op, result, kind, attribute=len(self.inputs) - 1)

    def value(self, dtype: str | None = None) -> int:
        """Any value, converted if it does not have the given dtype."""
        i = self.draw(st.integers(0, len(self.statements) - 1))
        if dtype in (None, self.statements[i].dtype):
            return i
        return self.add("convert", str(dtype), self.statements[i].kind, i)

    def add_elementwise(self, op: str, result: str, operand_dtypes: list[str]) -> None:
        operands = [self.value(dtype) for dtype in operand_dtypes]
        kind = model.join(*(self.statements[i].kind for i in operands))
        direction = self.draw(st.sampled_from(list(model.DIRECTIONS))) if op == "compare" else None
        self.add(op, result, kind, *operands, attribute=direction)

    def add_reduction(self, op: str) -> None:
        i = self.value(self.draw(st.sampled_from(FLOATS)))
        source = self.statements[i]
        wide = {"scalar": "vec", "rowscalar": "row"}.get(source.kind, source.kind)
        if wide != source.kind:
            i = self.add("broadcast", source.dtype, wide, i)
        self.add(op, source.dtype, "rowscalar" if wide == "row" else "scalar", i)

    def add_constant(self) -> None:
        dtype = self.draw(st.sampled_from(FLOATS))
        number = self.draw(st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, 0.1, 1e-5, 3.0, 48.0, -7.0]))
        rounded = float(model.round_to(dtype, np.asarray(number)).astype(np.float64))
        self.add("constant", dtype, "scalar", attribute=rounded)

    def add_operation(self) -> None:
        dtype = self.draw(st.sampled_from(FLOATS))
        op = self.draw(st.sampled_from(OPERATIONS))
        if op in REDUCTIONS:
            self.add_reduction(op)
        elif op == "constant":
            self.add_constant()
        elif op in model.LOGIC or op == "not":
            self.add_elementwise(op, "pred", ["pred"] * (1 if op == "not" else 2))
        elif op in ("compare", "is_finite"):
            self.add_elementwise(op, "pred", [dtype] * (1 if op == "is_finite" else 2))
        elif op == "select":
            self.add_elementwise(op, dtype, ["pred", dtype, dtype])
        else:
            count = 1 if op in model.UNARY else 3 if op in ("clamp", "multiply_add") else 2
            self.add_elementwise(op, dtype, [dtype] * count)


OPERATIONS = [
    *model.UNARY,
    *model.BINARY,
    *model.LOGIC,
    *REDUCTIONS,
    "constant",
    "not",
    "compare",
    "is_finite",
    "select",
    "clamp",
    "multiply_add",
]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    builder = Builder(draw)
    for role in draw(st.lists(st.sampled_from(["sum", "max", "min", "gather"]), min_size=1, max_size=2)):
        builder.add_input(role)
    for role in draw(st.lists(st.sampled_from(["local", "gather"]), max_size=4)):
        builder.add_input(role)
    for _ in range(draw(st.integers(0, 12))):
        builder.add_operation()
    outputs = []
    for i in draw(st.lists(st.integers(0, len(builder.statements) - 1), min_size=1, max_size=3)):
        kind = draw(st.sampled_from(list(model.KINDS)))
        outputs.append((i, model.join(builder.statements[i].kind, kind)))
    wide = [i for i, (_, kind) in enumerate(outputs) if model.KINDS[kind][1]]
    shards = draw(st.frozensets(st.sampled_from(wide))) if wide else frozenset()
    return Program(builder.inputs, builder.statements, outputs, shards)


@dataclasses.dataclass(frozen=True)
class Case:
    """A program with shapes and every rank's inputs."""

    program: Program
    rows: int
    width: int
    inputs: list[list[Array]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    program = draw(programs())
    ranks = draw(st.integers(1, 4))
    rows, width = draw(st.integers(1, 5)), ranks * draw(st.sampled_from([1, 2, 3, 7, 16]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    special = draw(st.booleans())
    inputs = [
        [_random_input(random, x, rows, width // (ranks if x.role == "gather" else 1), special) for x in program.inputs]
        for _ in range(ranks)
    ]
    return Case(program, rows, width, inputs)


def _random_input(random: np.random.Generator, spec: Input, rows: int, width: int, special: bool) -> Array:
    values = random.normal(size=model.shape_of(spec.kind, rows, width)) * 10.0 ** random.integers(-2, 3)
    if special:
        odd = np.array([np.nan, np.inf, -np.inf, 0.0, 1e-42, 3e38])
        values = np.where(random.random(values.shape) < 0.1, random.choice(odd, size=values.shape), values)
    with np.errstate(all="ignore"):
        return model.round_to(spec.dtype, values)


def run_native(case: Case, rank: int) -> list[Array]:
    """The evaluator's outputs, in the model's shapes."""
    buffers: list[list[Buffer]] = [[np.ascontiguousarray(x).view(np.uint8) for x in of_rank] for of_rank in case.inputs]
    program = case.program
    results = _native.evaluate_row_program(str(program), case.rows, case.width, rank, buffers)
    return [
        np.frombuffer(data, model.DTYPES[program.statements[value].dtype]).reshape(
            model.shape_of(kind, case.rows, case.width // (len(case.inputs) if i in program.shards else 1))
        )
        for i, (data, (value, kind)) in enumerate(zip(results, program.outputs, strict=True))
    ]


@PROPERTY
@given(cases(), st.data())
def test_the_evaluator_agrees_with_numpy_in_float64(case: Case, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, len(case.inputs) - 1))
    expected = model.evaluate(case.program, case.rows, case.width, rank, case.inputs)
    for want, got in zip(expected, run_native(case, rank), strict=True):
        np.testing.assert_array_equal(got.astype(np.float64), want.astype(np.float64), err_msg=str(case.program))


@PROPERTY
@given(programs())
def test_the_canonical_text_is_a_fixed_point_whatever_the_white_space(program: Program) -> None:
    text = str(program)
    canonical = _native.canonical_row_program(text)
    assert _native.canonical_row_program(canonical) == canonical
    assert _native.canonical_row_program(re.sub(r"\s+", "\n\t", text)) == canonical
    assert _native.canonical_row_program(re.sub(r"\s*([(){}:,;=])\s*", r"\1", text)) == canonical


@PROPERTY
@given(programs(), st.data())
def test_text_cut_short_is_refused_with_what_was_expected(program: Program, data: st.DataObject) -> None:
    text = str(program)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ValueError, match=r"row program: .*expected .*, came "):
        _native.canonical_row_program(text[:cut])


RMS_NORM = """v1 (a0: sum f32 row, a1: local f32 vec) {{
  x0: f32 row = all_reduce a0; x1: f32 row = multiply x0, x0; x2: f32 rowscalar = reduce_sum x1;
  x3: f32 scalar = constant {width}; x4: f32 rowscalar = divide x2, x3; x5: f32 scalar = constant 1e-05;
  x6: f32 rowscalar = add x4, x5; x7: f32 rowscalar = rsqrt x6; x8: f32 row = multiply x0, x7;
  x9: f32 vec = load a1; x10: f32 row = multiply x8, x9 }} -> (x10: row)"""


@PROPERTY
@given(st.integers(1, 9), st.sampled_from([1, 5, 64, 777]), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_an_rms_norm_is_within_a_few_roundings_of_the_exact_one(rows: int, width: int, ranks: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = random.normal(size=(ranks, rows, width)).astype(np.float32)
    gamma = random.normal(size=width).astype(np.float32)
    inputs: list[list[Buffer]] = [[part, gamma] for part in parts]
    text = RMS_NORM.format(width=width)
    got = [_native.evaluate_row_program(text, rows, width, rank, inputs)[0] for rank in range(ranks)]
    assert got == got[:1] * ranks, "all ranks hold the same bits"

    total = parts.astype(np.float64).sum(axis=0)
    scale = 1 / np.sqrt((total**2).mean(axis=1, keepdims=True) + 1e-5)
    # One rounding per addition over the ranks, of the largest partial sum; then about six relative ones.
    unit = 2.0**-24
    error = (np.abs(parts).astype(np.float64).sum(axis=0) * ranks + 8 * np.abs(total)) * scale * np.abs(gamma) * unit
    spread = np.abs(total * scale * gamma) * np.abs(parts).sum(axis=0).max() * ranks * np.sqrt(width) * scale * unit
    result = np.frombuffer(got[0], np.float32).reshape(rows, width)
    np.testing.assert_array_less(np.abs(result - total * scale * gamma), error + spread + 1e-30)


def test_the_evaluator_refuses_ranks_that_do_not_divide_the_width_where_there_are_shards() -> None:
    text = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row shard)"
    inputs: list[list[Buffer]] = [[np.zeros(5, np.float32)] for _ in range(2)]
    with pytest.raises(ValueError, match="width is 5, which 2 ranks do not divide, but the program has shards"):
        _native.evaluate_row_program(text, 1, 5, 0, inputs)
    assert len(_native.evaluate_row_program(text, 1, 5, 0, inputs[:1])[0]) == 5 * 4
