"""In: HLO text (before or after the pass) and every rank's parameters. Out: every rank's result, by numpy.

Understands the few instructions that tests/test_pass_shards_properties.py writes, in f32, and the pass's own call,
which the row program's scalar evaluator computes. All ranks form one group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax_oneshot import _native
from numpy.typing import NDArray

Array = NDArray[Any]
Ranks = list[Array]  # a value on each rank

_LINE = re.compile(
    r"(ROOT )?%(?P<name>[\w.]+) = (?P<shape>\(.*?\)|\S+) (?P<op>[\w-]+)\((?P<operands>.*?)\)(?P<rest>.*)"
)
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")
_DTYPES = {"f32": np.float32, "s32": np.int32, "u32": np.uint32}
_ELEMENTWISE: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "tanh": np.tanh,
    "abs": np.abs,
}


def run(text: str, parameters: Sequence[Ranks]) -> list[tuple[Array, ...]]:
    """The entry computation's tuple on each rank; `parameters[number][rank]`."""
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
        values[match["name"]] = _apply(match["op"], operands, match["shape"], match["rest"], ranks)
        if match[1]:
            return [tuple(of_rank) for of_rank in values[match["name"]]]
    raise AssertionError("the entry computation has no ROOT")


def _shapes(text: str) -> list[tuple[Any, tuple[int, ...]]]:
    return [(_DTYPES[name], tuple(map(int, dims.split(","))) if dims else ()) for name, dims in _ARRAY.findall(text)]


def _apply(op: str, operands: list[Any], shape: str, rest: str, ranks: int) -> list[Any]:
    (dtype, dims), *_ = _shapes(shape)
    dimensions = tuple(map(int, re.findall(r"\d+", m[1]))) if (m := re.search(r"dimensions=\{([\d,]*)\}", rest)) else ()
    if op == "custom-call":
        return _call(operands, _shapes(shape), rest, shape.startswith("("), ranks)
    if op == "all-reduce":
        return [sum(operands[0], start=np.zeros(dims, dtype))] * ranks
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
        return operands[0].sum(axis=axes, dtype=dtype)
    if op == "dynamic-slice":
        whole, *starts = operands
        clamped = [min(max(int(start), 0), n - d) for start, n, d in zip(starts, whole.shape, dims, strict=True)]
        return whole[tuple(slice(start, start + d) for start, d in zip(clamped, dims, strict=True))]
    return _ELEMENTWISE[op](*operands).astype(dtype)


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
