# SPDX-License-Identifier: Apache-2.0
"""A program in float64, exact and with random rounding errors of its declared dtypes.

The text of `program` is rewritten:

    v4 = v3.astype(jnp.float32) * x2   ->   v4 = rounded(1, rounded(0, v3.astype(jnp.float64)) * x2)
    v5 = lax.psum(v4, "tp")            ->   v5 = rounded(2, lax.psum(of_rank(2, v4, "tp"), "tp"))

First it is traced with its own dtypes, to record the declared dtype of the value at each place. Then it runs in
float64; a sample perturbs the value at each place by up to `NOISE` roundings of that dtype and rounds it. The spread of
the samples says how much an implementation that rounds at other points may differ; an integer or a boolean on which
samples disagree depends on rounding.
The terms of a sum over ranks are perturbed too, differently on each rank: where large terms cancel, the order of
addition determines the last bits of the largest.
"""

from __future__ import annotations

import ast
import copy
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax

SAMPLES = 6
NOISE = 4.0  # roundings: half a unit in the last place each

_MOVED = "rounded"
_OF_RANK = "of_rank"
_SUMS_OVER_RANKS = ("psum", "pmean", "psum_scatter")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult, ast.Pow, ast.Mod)
# Calls that round; all others (slices, maxima, selections, collectives without arithmetic) preserve bits.
_COMPUTING = frozenset(
    (
        *("astype", "tanh", "silu", "gelu", "sigmoid", "softplus", "exp", "square", "sqrt", "log1p", "rsqrt", "sin"),
        *("cos", "erf", "integer_pow", "remainder", "mean", "sum", "var", "cumsum", "softmax", "log_softmax"),
        *("logsumexp", "psum", "pmean", "psum_scatter", "grad"),
    )
)
_FLOATS = ("float32", "bfloat16", "float16")


class _Rewrite(ast.NodeTransformer):
    """Wraps every operation that rounds in a numbered call; `wide`: makes every float dtype float64."""

    def __init__(self, wide: bool) -> None:
        self._wide = wide
        self._count = 0

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self._around(node) if isinstance(node.op, _OPERATORS) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in _SUMS_OVER_RANKS:
            terms, axes = node.args[:2]
            place = ast.Constant(self._count + 1)
            node.args[0] = ast.Call(ast.Name(_OF_RANK, ast.Load()), [place, terms, copy.deepcopy(axes)], [])
        return self._around(node) if name in _COMPUTING else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if self._wide and node.attr in _FLOATS and isinstance(node.value, ast.Name) and node.value.id == "jnp":
            node.attr = "float64"
        return node

    def _around(self, node: ast.expr) -> ast.AST:
        self._count += 1
        place = ast.Constant(self._count)
        return ast.Call(ast.Name(_MOVED, ast.Load()), [place, node], [])


class _Places:
    """Implements the numbered calls while a program is traced."""

    def __init__(self) -> None:
        self.dtypes: dict[int, np.dtype[Any]] = {}
        self.sample: Any = None  # a traced number; 0: do not perturb

    def record(self, place: int, value: Any) -> Any:
        for leaf in jax.tree.leaves(value):
            if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating):
                self.dtypes[place] = leaf.dtype
        return value

    def move(self, place: int, value: Any) -> Any:
        return jax.tree.map(lambda leaf: self._moved(place, leaf), value)

    def move_terms(self, place: int, value: Any, axes: Any) -> Any:
        """Like `move`, by another amount on every rank along `axes`."""
        rank = lax.axis_index(axes)
        return jax.tree.map(lambda leaf: self._moved(place, leaf, 0.5497004779 * (1 + rank)), value)

    def _moved(self, place: int, value: Any, turn: Any = 0.0) -> Any:
        if not isinstance(value, jax.Array) or value.dtype != jnp.float64 or place not in self.dtypes:
            return value
        info = ml_dtypes.finfo(self.dtypes[place])  # type: ignore[no-untyped-call]
        position = jnp.arange(value.size, dtype=jnp.float64).reshape(value.shape)
        turns = position * 0.6180339887 + self.sample * (place + 0.5) * 0.7548776662 + turn * self.sample
        share = 2 * (turns - jnp.floor(turns)) - 1
        moved = value * (1 + NOISE * float(info.eps) / 2 * share)
        narrow = lax.reduce_precision(moved, int(info.iexp if hasattr(info, "iexp") else info.nexp), int(info.nmant))
        return jnp.where(self.sample > 0, narrow, value)


def samples(text: str, name: str) -> list[list[np.ndarray[Any, Any]]]:
    """The outputs of a program's text in float64: first unperturbed, then SAMPLES perturbed ones."""
    places = _Places()
    plain = _module(text, name, wide=False, calls={_MOVED: places.record, _OF_RANK: lambda place, value, axes: value})
    function, shardings = plain["build"](jax.devices()[:8])
    function.trace(*(_shape(a, s) for a, s in zip(plain["arrays"](), shardings, strict=True)))
    with jax.enable_x64(True):
        module = _module(text, name, wide=True, calls={_MOVED: places.move, _OF_RANK: places.move_terms})
        module["DONATED"] = ()
        function, shardings = module["build"](jax.devices()[:8])

        def run(sample: Any, *inputs: Any) -> Any:
            places.sample = sample
            return function(*inputs)

        wide = [jax.device_put(_widened(a), s) for a, s in zip(module["arrays"](), shardings, strict=True)]
        # LLVM takes minutes to optimise some of these, and 1 to 2 s to compile them unoptimised (2026-11-27, EPYC).
        quick = {"xla_backend_optimization_level": 0}
        compiled = jax.jit(run).lower(0.0, *wide).compile(compiler_options=quick)
        return [[np.asarray(r) for r in compiled(float(sample), *wide)] for sample in range(SAMPLES + 1)]


def _module(text: str, name: str, *, wide: bool, calls: dict[str, Any]) -> dict[str, Any]:
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "program":
            _Rewrite(wide).visit(node)
    module: dict[str, Any] = {**calls, "__name__": name, "__file__": name}
    exec(compile(ast.fix_missing_locations(tree), name, "exec"), module)
    return module


def _shape(array: np.ndarray[Any, Any], sharding: Any) -> Any:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)


def _widened(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array
