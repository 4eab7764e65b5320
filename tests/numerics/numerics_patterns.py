# SPDX-License-Identifier: Apache-2.0
"""Numerics cases (pattern, dtype, shape, mesh): their inputs, and the pattern's function for JAX and in float64.

A pattern is written once, against `Ops`, and returns a tuple of outputs.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import zlib
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from numerics_ops import Array, DeclaredOps, HostOps, JaxOps, Ops

EPSILON = 1e-6
LAYERS = 3
SHAPES = [(1, 1), (4, 1), (1, 256), (3, 7), (4, 515), (4097, 7), (4097, 64)]
SHAPED = [
    "rank_residual_rms",
    "rms_rounded",
    "rms_scaled_as_columns",
    "layer_norm_centred",
    "parallel_residual",
    "bias_gelu_tanh",
    "sum_alone",
    "sum_over_both_axes",
]
DTYPES = {"bf16": jnp.bfloat16, "f16": jnp.float16, "f32": jnp.float32}


class Role(enum.Enum):
    """The kind of an input: its shape, whether it differs between ranks, and the mean of its elements."""

    PARTIAL = ("rows h", True, 0.0)
    ROW = ("rows h", False, 0.0)
    RANK_ROW = ("rows h", True, 0.0)
    ROW_SCALAR = ("rows 1", False, 1.0)
    RANK_ROW_SCALAR = ("rows 1", True, 1.0)
    VEC = ("h", False, 1.0)
    RANK_VEC = ("h", True, 1.0)
    STACK = ("layers h", False, 1.0)
    RANK_STACK = ("layers h", True, 0.0)
    SHARD_ROW = ("rows shard", True, 0.0)
    SHARD_VEC = ("shard", True, 1.0)

    @property
    def varies(self) -> bool:
        """Whether each rank has its own."""
        return self.value[1]


@dataclasses.dataclass(frozen=True)
class Pattern:
    """`function(ops, *inputs)` returns a tuple of outputs; the other fields are what the report must say.

    XLA:CPU promotes bf16 all-reduces to f32, which adds a convert after them to absorb: `bf16_verdict`, if given,
    replaces `verdict`.
    """

    function: Callable[..., tuple[Array, ...]]
    roles: tuple[Role, ...]
    verdict: str = "fused"
    bf16_verdict: str = ""
    calls: int = 1
    output_varies: bool = False


PATTERNS: dict[str, Pattern] = {}
Function = Callable[..., tuple[Array, ...]]


def pattern(
    *roles: Role, verdict: str = "fused", bf16_verdict: str = "", calls: int = 1, output_varies: bool = False
) -> Callable[[Function], Function]:
    """Adds the decorated function to PATTERNS under its name."""

    def enter(function: Function) -> Function:
        PATTERNS[function.__name__] = Pattern(function, roles, verdict, bf16_verdict, calls, output_varies)
        return function

    return enter


def normed(o: Ops, wide: Array) -> Array:
    """RMSNorm of f32 rows, without gamma."""
    return wide * o.rsqrt(o.mean(wide * wide) + EPSILON)


@pattern(Role.PARTIAL, Role.RANK_ROW, Role.VEC, output_varies=True)
def rank_residual_rms(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.low(normed(o, o.wide(h))) * g, h


@pattern(Role.PARTIAL, Role.ROW, Role.RANK_ROW_SCALAR, Role.RANK_VEC, output_varies=True)
def rank_scales(o: Ops, p: Array, r: Array, s: Array, v: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return normed(o, o.wide(h)) * o.wide(s) * o.wide(v), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_f32(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.low(normed(o, o.wide(h)) * o.wide(g)), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_rounded(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.low(normed(o, o.wide(h))) * g, h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_scaled_as_columns(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.scaled(o.low(normed(o, o.wide(h))), g), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_gamma_first(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    wide = o.wide(h)
    return (h * g) / o.low(o.sqrt(o.mean(wide * wide) + EPSILON)), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_all_low(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return normed(o, h) * g, h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_one_plus_gamma(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.low(normed(o, o.wide(h)) * (1 + o.wide(g))), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_of_the_unrounded_sum(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    wide = o.wide(o.psum(p)) + o.wide(r)
    h = o.low(wide)
    return o.low(o.wide(h) * o.rsqrt(o.mean(wide * wide) + EPSILON)) * g, h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC, Role.VEC)
def layer_norm_centred(o: Ops, p: Array, r: Array, g: Array, b: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    centred = o.wide(h) - o.mean(o.wide(h))
    return o.low(centred * o.rsqrt(o.mean(centred * centred) + EPSILON) * o.wide(g) + o.wide(b)), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC, Role.VEC)
def layer_norm_moments(o: Ops, p: Array, r: Array, g: Array, b: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    wide = o.wide(h)
    mean = o.mean(wide)
    variance = o.mean(wide * wide) - mean * mean
    return o.low((wide - mean) * o.rsqrt(variance + 1e-3)) * g + b, h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC, Role.VEC)
def layer_norm_factored(o: Ops, p: Array, r: Array, g: Array, b: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    wide = o.wide(h)
    mean = o.mean(wide)
    scale = o.rsqrt(o.mean(wide * wide) - mean * mean + 1e-3) * o.wide(g)
    return o.low(wide * scale + (o.wide(b) + (-mean) * scale)), h


@pattern(Role.PARTIAL, Role.VEC, Role.ROW, Role.VEC, Role.VEC)
def bias_residual_layer_norm(o: Ops, p: Array, c: Array, r: Array, g: Array, b: Array) -> tuple[Array, ...]:
    h = (o.psum(p) + c) + r
    centred = o.wide(h) - o.mean(o.wide(h))
    return o.low(centred * o.rsqrt(o.mean(centred * centred) + EPSILON)) * g + b, h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC, Role.VEC)
def gemma_norm_add_norm(o: Ops, p: Array, r: Array, g: Array, g2: Array) -> tuple[Array, ...]:
    h = o.low(normed(o, o.wide(o.psum(p))) * (1 + o.wide(g))) + r
    return o.low(normed(o, o.wide(h)) * (1 + o.wide(g2))), h


@pattern(Role.PARTIAL, Role.VEC)
def bias_gelu_tanh(o: Ops, p: Array, b: Array) -> tuple[Array, ...]:
    return (o.gelu(o.psum(p) + b, True),)


@pattern(Role.PARTIAL, Role.VEC)
def bias_gelu_erf(o: Ops, p: Array, b: Array) -> tuple[Array, ...]:
    return (o.gelu(o.psum(p) + b, False),)


@pattern(Role.PARTIAL, Role.VEC)
def bias_silu(o: Ops, p: Array, b: Array) -> tuple[Array, ...]:
    x = o.psum(p) + b
    return (x * o.logistic(x),)


@pattern(Role.PARTIAL, Role.VEC)
def bias_relu(o: Ops, p: Array, b: Array) -> tuple[Array, ...]:
    x = o.psum(p) + b
    return (o.where(x > 0, x, 0 * x),)


@pattern(Role.PARTIAL, Role.PARTIAL, Role.ROW, Role.VEC)
def parallel_residual(o: Ops, p: Array, q: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = r + o.psum(p) + o.psum(q)
    return o.low(normed(o, o.wide(h))) * g, h


@pattern(Role.PARTIAL, Role.PARTIAL, Role.VEC, Role.VEC, Role.ROW, Role.VEC)
def parallel_biases(o: Ops, p: Array, q: Array, b: Array, c: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = (o.psum(p) + b) + (o.psum(q) + c) + r
    return o.low(normed(o, o.wide(h))) * g, h


@pattern(Role.PARTIAL, Role.PARTIAL, Role.ROW, Role.VEC)
def two_all_reduces_with_an_output_each(o: Ops, p: Array, q: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.low(normed(o, o.wide(h))) * g, o.psum(q) * g + h


@pattern(Role.PARTIAL)
def soft_cap(o: Ops, p: Array) -> tuple[Array, ...]:
    return (o.tanh(o.psum(p) / 2) * 2,)


@pattern(Role.PARTIAL, Role.VEC, Role.ROW_SCALAR, Role.ROW)
def dequantised(o: Ops, p: Array, s: Array, t: Array, r: Array) -> tuple[Array, ...]:
    return (o.low(o.wide(o.psum(p)) * o.wide(s) * o.wide(t)) + r,)


@pattern(Role.PARTIAL, Role.ROW_SCALAR, Role.VEC)
def clamped_and_masked(o: Ops, p: Array, m: Array, g: Array) -> tuple[Array, ...]:
    x = o.clip(o.psum(p), -1.5, 1.5)
    return (o.where((m > 0.75) & (g < 1.25), x, o.where(x > 0, x * 0.5, x * 0.25)),)


@pattern(Role.PARTIAL, Role.ROW_SCALAR)
def not_a_number_where_masked(o: Ops, p: Array, m: Array) -> tuple[Array, ...]:
    return (o.where(m > 1, o.psum(p) * 16, float("nan")),)


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_to_f8e4m3fn(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.cast(o.clip(normed(o, o.wide(h)) * o.wide(g), -448, 448), jnp.float8_e4m3fn), h


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def rms_to_f8e5m2(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + r
    return o.cast(o.low(normed(o, o.wide(h))) * g, jnp.float8_e5m2), h


@pattern(Role.PARTIAL, Role.ROW)
def scaled_to_f8_by_the_row_maximum(o: Ops, p: Array, r: Array) -> tuple[Array, ...]:
    wide = o.wide(o.psum(p)) + o.wide(r)
    scale = o.amax(o.abs(wide)) / 448 + EPSILON
    return o.cast(wide / scale, jnp.float8_e4m3fn), scale


@pattern(Role.PARTIAL, verdict="plain", bf16_verdict="fused")
def sum_alone(o: Ops, p: Array) -> tuple[Array, ...]:
    return (o.psum(p),)


@pattern(Role.PARTIAL, Role.ROW, Role.VEC)
def sum_over_both_axes(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum_twice(p) + r
    return o.low(normed(o, o.wide(h))) * g, h


@pattern(Role.PARTIAL, Role.ROW, verdict="plain")
def maximum(o: Ops, p: Array, r: Array) -> tuple[Array, ...]:
    return (o.pmax(p) + r,)


@pattern(Role.PARTIAL, Role.ROW, verdict="plain")
def minimum(o: Ops, p: Array, r: Array) -> tuple[Array, ...]:
    return (o.pmin(p) + r,)


@pattern(Role.RANK_ROW_SCALAR, Role.VEC)
def embedding(o: Ops, ids: Array, table: Array) -> tuple[Array, ...]:
    return (o.psum(o.where(ids > 1, table + 0 * ids, 0 * ids)) * 16,)


@pattern(Role.ROW, Role.STACK, Role.RANK_STACK)
def scanned_layers(o: Ops, h: Array, gammas: Array, weights: Array) -> tuple[Array, ...]:
    def layer(carry: tuple[Array, Array], one: tuple[Array, Array]) -> tuple[tuple[Array, Array], Any]:
        (h, n), (g, w) = carry, one
        h = o.psum(n * w) + h
        return (h, o.low(normed(o, o.wide(h))) * g), None

    start = (h, h) if isinstance(o, JaxOps) else (h + 0 * weights[0], h + 0 * weights[0])
    (h, n), _ = o.scan(layer, start, (gammas, weights))
    return n, h


@pattern(Role.RANK_ROW, Role.STACK, Role.RANK_STACK, output_varies=True)
def scanned_layers_on_unlike_ranks(o: Ops, h: Array, gammas: Array, weights: Array) -> tuple[Array, ...]:
    """XLA:CPU lets a loop's body overwrite its operands with its results; here other ranks still read the operands."""

    def layer(carry: tuple[Array, Array], one: tuple[Array, Array]) -> tuple[tuple[Array, Array], Any]:
        (h, n), (g, w) = carry, one
        h = o.psum(n) + h
        return (h, o.low(normed(o, o.wide(h))) * g * w), None

    (h, n), _ = o.scan(layer, (h, h), (gammas, weights))
    return n, h


@dataclasses.dataclass(frozen=True)
class Case:
    """A pattern at one dtype, shape (rows, H) and mesh (dp, tp), on inputs from a seed."""

    pattern: str
    dtype: str
    shape: tuple[int, int] = (64, 256)
    mesh: tuple[int, int] = (1, 8)
    seed: int = 0

    @property
    def verdict(self) -> str:
        """The verdict that the report must give on its all-reduces."""
        pattern = PATTERNS[self.pattern]
        return pattern.bf16_verdict if self.dtype == "bf16" and pattern.bf16_verdict else pattern.verdict

    @property
    def name(self) -> str:
        """An identifier, and the name of the jitted function."""
        rows, width = self.shape
        dp, tp = self.mesh
        return f"{self.pattern}_{self.dtype}_{rows}x{width}_dp{dp}_tp{tp}_seed{self.seed}"

    def inputs(self) -> list[np.ndarray[Any, Any]]:
        """Random inputs from the seed, in the case's dtype. Those that vary have the rank as their first dimension."""
        random = np.random.default_rng(zlib.crc32(self.name.rpartition("_seed")[0].encode()) + self.seed)
        rows, width = self.shape
        sizes = {"rows": rows, "h": width, "shard": width // self.mesh[1], "1": 1, "layers": LAYERS}
        made = []
        for role in PATTERNS[self.pattern].roles:
            dimensions, varies, mean = role.value
            shape = [sizes[dimension] for dimension in dimensions.split()]
            ranks = [math.prod(self.mesh)] if varies else []
            made.append(random.normal(mean, 0.5, size=ranks + shape).astype(DTYPES[self.dtype]))
        return made

    def expected(self) -> list[np.ndarray[Any, Any]]:
        """The outputs in float64, [ranks, ...]; those equal on all ranks may lack the rank dimension."""
        return self._on_host(HostOps(self.mesh), np.float64)

    def as_declared(self) -> list[np.ndarray[Any, Any]]:
        """The outputs with every value rounded to the type that the pattern declares for it."""
        return self._on_host(DeclaredOps(self.mesh, DTYPES[self.dtype]), DTYPES[self.dtype])

    def _on_host(self, ops: HostOps, dtype: Any) -> list[np.ndarray[Any, Any]]:
        roles = PATTERNS[self.pattern].roles
        inputs = [_host_form(role, array.astype(dtype)) for role, array in zip(roles, self.inputs(), strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):
            return list(PATTERNS[self.pattern].function(ops, *inputs))


def _host_form(role: Role, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Makes the array broadcast against [ranks, rows, H], layer by layer if it has layers."""
    if role in (Role.RANK_VEC, Role.SHARD_VEC):
        return array[:, None, :]
    if role is Role.RANK_STACK:
        return np.moveaxis(array, 1, 0)[:, :, None, :]
    return array


# Computed step by step in f32, these exceeded the bound for some seeds: which rows round badly depends on the seed.
LUCKY_OR_NOT = [
    "layer_norm_centred",
    "layer_norm_moments",
    "layer_norm_factored",
    "gemma_norm_add_norm",
    "parallel_residual",
    "two_all_reduces_with_an_output_each",
    "scanned_layers",
]
SEEDS = range(1, 6)


def cases() -> dict[str, Case]:
    """All cases, by name."""
    every = [Case(name, dtype) for name in PATTERNS for dtype in DTYPES]
    every += [Case(name, "bf16", shape) for name in SHAPED for shape in SHAPES]
    every += [Case("rms_scaled_as_columns", dtype, (64, 64)) for dtype in DTYPES]  # as many rows as columns
    every += [Case(name, "f32", seed=seed) for name in LUCKY_OR_NOT for seed in SEEDS]
    every += [Case(name, dtype, (4, 96), mesh) for name in SHAPED for dtype in DTYPES for mesh in ((2, 4), (4, 2))]
    return {case.name: case for case in every}
