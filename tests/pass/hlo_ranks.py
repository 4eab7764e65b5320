# SPDX-License-Identifier: Apache-2.0
"""Evaluates HLO text, before or after the pass, for every rank with numpy.

Supports the few opcodes that test_pass_shards_properties.py and test_pass_sinking_properties.py use, and one-shot
calls, which the row program's scalar evaluator computes. All ranks form one group. Every instruction rounds its result
to its type; sums are taken in f32. With `exact`, every float is a float64.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from jax_oneshot import _native
from numpy.typing import NDArray

Array = NDArray[Any]
Ranks = list[Array]  # one value per rank

_LINE = re.compile(
    r"(ROOT )?%(?P<name>[\w.]+) = (?P<shape>\(.*?\)|\S+) (?P<op>[\w-]+)\((?P<operands>.*?)\)(?P<rest>.*)"
)
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")
_DTYPES = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "s32": np.int32, "u32": np.uint32}
_EXACT = {**_DTYPES, "f32": np.float64, "bf16": np.float64}
_ELEMENTWISE: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negate": np.negative,
    "maximum": np.maximum,
    "tanh": np.tanh,
    "abs": np.abs,
}


def run(text: str, parameters: Sequence[Ranks], *, exact: bool = False) -> list[tuple[Array, ...]]:
    """The entry computation's tuple on each rank; `parameters[number][rank]`."""
    types = _EXACT if exact else _DTYPES
    ranks = len(parameters[0])
    values: dict[str, Any] = {}
    for line in text[text.index("ENTRY") :].splitlines()[1:]:
        match = _LINE.match(line.strip())
        if match is None:
            continue
        if match["op"] == "parameter":
            values[match["name"]] = parameters[int(match["operands"])]
            continue
        operands = [values.get(name.strip().lstrip("%"), name) for name in match["operands"].split(",")]
        values[match["name"]] = _apply(match["op"], operands, _shapes(match["shape"], types), match, ranks)
        if match[1]:
            return [tuple(of_rank) for of_rank in values[match["name"]]]
    raise AssertionError("the entry computation has no ROOT")


def _shapes(text: str, types: Mapping[str, Any]) -> list[tuple[Any, tuple[int, ...]]]:
    return [(types[name], tuple(map(int, dims.split(","))) if dims else ()) for name, dims in _ARRAY.findall(text)]


def _apply(op: str, operands: list[Any], shapes: Sequence[Any], match: re.Match[str], ranks: int) -> list[Any]:
    (dtype, dims), *_ = shapes
    rest = match["rest"]
    dimensions = tuple(map(int, re.findall(r"\d+", m[1]))) if (m := re.search(r"dimensions=\{([\d,]*)\}", rest)) else ()
    if op == "custom-call":
        return _call(operands, shapes, rest, match["shape"].startswith("("), ranks)
    if op == "all-reduce":
        return [sum(map(_widened, operands[0]), start=_widened(np.zeros(dims, dtype))).astype(dtype)] * ranks
    if op == "all-gather":
        return [np.concatenate(operands[0], axis=dimensions[0])] * ranks
    if op in ("partition-id", "replica-id"):
        return [np.asarray(rank if op == "partition-id" else 0, np.uint32) for rank in range(ranks)]
    if op == "constant":
        return [np.asarray(float(operands[0]), dtype)] * ranks
    return [_local(op, [of[rank] for of in operands], dims, dtype, dimensions, rest) for rank in range(ranks)]


def _local(op: str, operands: list[Any], dims: tuple[int, ...], dtype: Any, axes: tuple[int, ...], rest: str) -> Any:
    if op == "tuple":
        return operands
    if op == "opt-barrier":
        return operands[0]
    if op == "get-tuple-element":
        return operands[0][int(re.findall(r"index=(\d+)", rest)[0])]
    if op == "copy":
        return operands[0]
    if op == "convert":
        return operands[0].astype(dtype)
    if op == "broadcast":
        shape = [dims[axis] if axis in axes else 1 for axis in range(len(dims))]
        return np.broadcast_to(operands[0].reshape(shape), dims)
    if op == "reduce":
        return _widened(operands[0]).sum(axis=axes).astype(dtype)
    if op == "reshape":
        return operands[0].reshape(dims)
    if op == "transpose":
        return operands[0].transpose(axes)
    if op == "gather":  # of whole rows
        return operands[0][operands[1].reshape(-1)].reshape(dims)
    if op == "slice":
        bounds = [tuple(map(int, one)) for one in re.findall(r"\[(\d+):(\d+)\]", rest)]
        return operands[0][tuple(slice(*bound) for bound in bounds)]
    if op == "dot":
        return (_widened(operands[0]) @ _widened(operands[1])).astype(dtype)
    if op == "dynamic-slice":
        whole, *starts = operands
        clamped = [min(max(int(start), 0), n - d) for start, n, d in zip(starts, whole.shape, dims, strict=True)]
        return whole[tuple(slice(start, start + d) for start, d in zip(clamped, dims, strict=True))]
    return _ELEMENTWISE[op](*operands).astype(dtype)


def _widened(value: Array) -> Array:
    return value.astype(np.float32) if value.dtype == ml_dtypes.bfloat16 else value


def _call(operands: list[Ranks], shapes: Sequence[Any], rest: str, is_tuple: bool, ranks: int) -> list[Any]:
    def number(name: str) -> int:
        return int(re.findall(rf"\b{name} = (\d+) : i64", rest)[0])

    program = re.findall(r'program = "(.*?)"', rest)[0]
    inputs = program.split(")")[0].count(": ")
    buffers: list[list[Any]] = [
        [np.ascontiguousarray(operand[rank]) for operand in operands[:inputs]] for rank in range(ranks)
    ]
    results = []
    for rank in range(ranks):
        outputs = _native.evaluate_row_program(program, number("rows"), number("width"), rank, buffers)
        arrays = [np.frombuffer(data, dtype).reshape(dims) for data, (dtype, dims) in zip(outputs, shapes, strict=True)]
        results.append(arrays if is_tuple else arrays[0])
    return results
