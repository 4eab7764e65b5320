# SPDX-License-Identifier: Apache-2.0
"""Compares, for many random programs, values computed inside a call with those that XLA:CPU recomputes outside it.

Run as a script with JAX_ONESHOT=1 and JAX_ONESHOT_MODULES=^jit_on, so that each program is compiled with the pass and
without it. Prints one JSON object: by property, a program that fails.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

Array = Any
DTYPES = {"f32": jnp.float32, "bf16": jnp.bfloat16, "f16": jnp.float16}
SHAPES = [(32, 300), (5, 64), (1, 128), (64, 1000), (3, 7)]
LARGEST = 3  # elements of a row that a top-k keeps


@dataclasses.dataclass(frozen=True)
class Data:
    """Inputs on 8 ranks: partial sums, a residual, a vector to multiply by, one to add, one value per row."""

    dtype: str
    shape: tuple[int, int]
    seed: int

    def arrays(self) -> list[Array]:
        """[8, rows, width], [rows, width], [width], [width], [rows, 1]."""
        random = np.random.default_rng(self.seed)
        rows, width = self.shape
        sizes = [(8, rows, width), (rows, width), (width,), (width,), (rows, 1)]
        return [random.normal(size=size).astype(np.float32).astype(DTYPES[self.dtype]) for size in sizes]


def data(dtypes: list[str]) -> st.SearchStrategy[Data]:
    return st.builds(Data, st.sampled_from(dtypes), st.sampled_from(SHAPES), st.integers(0, 2**20))


def both(function: Callable[..., tuple[Array, ...]], inputs: Data) -> tuple[list[Array], list[Array]]:
    """Results of function(h, r, g, b, s), where h is the sum over ranks, with the pass and without."""
    mesh = jax.make_mesh((8,), ("tp",), axis_types=(AxisType.Auto,))

    def run(name: str) -> list[Array]:
        def on_each_rank(p: Array, *others: Array) -> tuple[Array, ...]:
            return function(lax.psum(p[0], "tp"), *others)

        on_each_rank.__name__ = name
        specs = (P("tp"), P(), P(), P(), P())
        mapped = jax.shard_map(on_each_rank, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=False)
        compiled = jax.jit(mapped).lower(*inputs.arrays()).compile()
        assert ("jax_oneshot.all_reduce" in (compiled.as_text() or "")) == (name == "on")
        return [np.asarray(result) for result in compiled(*inputs.arrays())]

    return run("on"), run("off")


# --- comparisons after a norm ---


def rms(h: Array, r: Array, g: Array, b: Array, s: Array) -> Array:
    wide = (h + r).astype(jnp.float32)
    return (wide * lax.rsqrt(jnp.mean(wide * wide, -1, keepdims=True) + 1e-6) * g).astype(h.dtype)


def rms_rounded(h: Array, r: Array, g: Array, b: Array, s: Array) -> Array:
    wide = (h + r).astype(jnp.float32)
    return (wide * lax.rsqrt(jnp.mean(wide * wide, -1, keepdims=True) + 1e-6)).astype(h.dtype) * g


def layer_norm(h: Array, r: Array, g: Array, b: Array, s: Array) -> Array:
    wide = (h + r).astype(jnp.float32)
    centred = wide - wide.mean(-1, keepdims=True)
    return (centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-6) * g + b).astype(h.dtype)


def layer_norm_factored(h: Array, r: Array, g: Array, b: Array, s: Array) -> Array:
    wide = (h + r).astype(jnp.float32)
    mean = wide.mean(-1, keepdims=True)
    scale = lax.rsqrt((wide * wide).mean(-1, keepdims=True) - mean * mean + 1e-3) * g
    return (wide * scale + (b - mean * scale)).astype(h.dtype)


NORMS: dict[str, Callable[..., Array]] = {
    "rms": rms,
    "rms_rounded": rms_rounded,
    "layer_norm": layer_norm,
    "layer_norm_factored": layer_norm_factored,
    "temperature": lambda h, r, g, b, s: h / 0.7,
    "affine": lambda h, r, g, b, s: h * g + b,
    "scaled_residual": lambda h, r, g, b, s: h + r * s,
    "standardised": lambda h, r, g, b, s: (h - h.mean(-1, keepdims=True)) / h.std(-1, keepdims=True),
    "unit": lambda h, r, g, b, s: h / jnp.sqrt((h * h).sum(-1, keepdims=True)),
    "softmax": lambda h, r, g, b, s: jax.nn.softmax(h, -1),
    "soft_cap": lambda h, r, g, b, s: jnp.tanh((h + r) / 30) * 30,
    "gelu": lambda h, r, g, b, s: jax.nn.gelu(h * g + b),
    "silu": lambda h, r, g, b, s: jax.nn.silu(h + b) * g,
}


# Each returns (k, y >= threshold, y > threshold), where the threshold is the k-th largest of a row (`smallest`: in
# reversed order). With or without ties, at least k elements reach it and fewer than k exceed it.
def top_k(y: Array) -> tuple[int, Array, Array]:
    threshold = lax.top_k(y, LARGEST)[0][:, -1:]
    return LARGEST, y >= threshold, y > threshold


def largest(y: Array) -> tuple[int, Array, Array]:
    return 1, y == y.max(-1, keepdims=True), y > y.max(-1, keepdims=True)


def smallest(y: Array) -> tuple[int, Array, Array]:
    return 1, y == y.min(-1, keepdims=True), y < y.min(-1, keepdims=True)


def argmax(y: Array) -> tuple[int, Array, Array]:
    chosen = jax.nn.one_hot(jnp.argmax(y, -1), y.shape[-1], dtype=y.dtype)
    threshold = jnp.where(chosen > 0, y, 0).sum(-1, keepdims=True)
    return 1, y >= threshold, y > threshold


def sort(y: Array) -> tuple[int, Array, Array]:
    threshold = jnp.sort(y, -1)[:, -LARGEST][:, None]
    return LARGEST, y >= threshold, y > threshold


COMPARISONS: dict[str, Callable[[Array], tuple[int, Array, Array]]] = {
    "top_k": top_k,
    "largest": largest,
    "smallest": smallest,
    "argmax": argmax,
    "sort": sort,
}
EXAMPLES = settings(
    max_examples=int(sys.argv[1]),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # no shrinking: a program takes a second to compile
    suppress_health_check=list(HealthCheck),
)


@EXAMPLES
@given(st.sampled_from(list(NORMS)), st.sampled_from(list(COMPARISONS)), data(list(DTYPES)), st.booleans())
def comparisons_behind_a_norm_agree(norm: str, comparison: str, inputs: Data, masks: bool) -> None:
    place = 0

    def function(*operands: Array) -> tuple[Array, ...]:
        nonlocal place
        y = NORMS[norm](*operands)
        place, reached, above = COMPARISONS[comparison](y)
        counts = reached.sum(-1), above.sum(-1)
        return (*counts, jnp.where(reached, y, -jnp.inf)) if masks else counts

    def agree(results: list[Array]) -> bool:
        return bool((results[0] >= place).all() and (results[1] < place).all())

    on, off = both(function, inputs)
    assume(agree(off))  # in bf16 XLA:CPU may compare unrounded values
    assert agree(on), f"{norm}, {comparison}, {inputs}, masks={masks}: {on[0].tolist()}, {on[1].tolist()}"


# --- sums and products: the same bits as XLA:CPU's ---

Term = tuple[Any, ...]


def terms() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([("h",), ("r",), ("g",), ("b",), ("s",), (0.7,)])

    def grow(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        binary = st.tuples(st.sampled_from(["add", "subtract", "multiply"]), inner, inner)
        return st.one_of(binary, st.tuples(st.just("negate"), inner))

    return st.recursive(leaves, grow, max_leaves=6)


def compute(term: Term, values: dict[str, Array]) -> Array:
    operands = [compute(inner, values) for inner in term[1:]]
    if not operands:
        return values[term[0]] if isinstance(term[0], str) else term[0]
    return {"add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y}.get(
        term[0], lambda x: -x
    )(*operands)


@EXAMPLES
@given(st.lists(terms(), min_size=1, max_size=3), data(["f32"]))  # in f16 XLA:CPU rounds after each rank's addition
def sums_and_products_are_those_of_xla(outputs: list[Term], inputs: Data) -> None:
    def function(h: Array, r: Array, g: Array, b: Array, s: Array) -> tuple[Array, ...]:
        values = {"h": h, "r": r, "g": g, "b": b, "s": s}
        return tuple(h + compute(output, values) * h for output in outputs)

    on, off = both(function, inputs)
    for index, (mine, theirs) in enumerate(zip(on, off, strict=True)):
        differ = int((mine != theirs).sum())
        assert differ == 0, f"output {index} of {outputs}, {inputs}: {differ} of {mine.size} elements differ"


def main() -> None:
    failures: dict[str, str] = {}
    for check in (comparisons_behind_a_norm_agree, sums_and_products_are_those_of_xla):
        try:
            check()
        except Exception:
            failures[check.__name__] = traceback.format_exc()
    print(json.dumps(failures))


if __name__ == "__main__":
    main()
