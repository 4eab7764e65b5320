# SPDX-License-Identifier: Apache-2.0
"""Patterns of norms whose rows or weights are sharded: each becomes one call.

They are added to those of numerics_patterns; `all_cases` has the cases of both modules.
"""

from __future__ import annotations

import numerics_patterns
from numerics_ops import Array, Ops
from numerics_patterns import EPSILON, Case, Role, normed, pattern

MESHES = ((1, 8), (2, 4), (4, 2))
DTYPES = ("bf16", "f32", "f16")


def _normed_shards(o: Ops, wide: Array) -> Array:
    """RMSNorm of this rank's columns of f32 rows, without gamma."""
    return wide * o.rsqrt(o.mean_of_shards(wide * wide) + EPSILON)


@pattern(Role.PARTIAL, Role.SHARD_ROW, Role.SHARD_VEC)
def sharded_rms(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.my_columns(o.psum(p)) + r
    return (o.gather(o.low(_normed_shards(o, o.wide(h))) * g),)


@pattern(Role.PARTIAL, Role.SHARD_ROW, Role.SHARD_VEC)
def sharded_rms_scaled_as_columns(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.my_columns(o.psum(p)) + r
    return (o.gather(o.scaled(o.low(_normed_shards(o, o.wide(h))), g)),)


@pattern(Role.PARTIAL, Role.SHARD_ROW, Role.SHARD_VEC, output_varies=True)
def sharded_rms_and_its_residual(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.my_columns(o.psum(p)) + r
    return o.gather(o.low(_normed_shards(o, o.wide(h))) * g), h


@pattern(Role.PARTIAL, Role.SHARD_VEC)
def sharded_scaling_alone(o: Ops, p: Array, g: Array) -> tuple[Array, ...]:
    total = o.psum(p)
    wide = o.wide(total)
    scale = o.rsqrt(o.mean(wide * wide) + EPSILON)
    return (o.gather(o.low(o.wide(o.my_columns(total)) * scale) * g),)


@pattern(Role.PARTIAL, Role.SHARD_VEC, Role.SHARD_ROW, Role.SHARD_VEC, Role.SHARD_VEC)
def sharded_layer_norm(o: Ops, p: Array, c: Array, r: Array, g: Array, b: Array) -> tuple[Array, ...]:
    h = o.wide((o.my_columns(o.psum(p)) + c) + r)
    centred = h - o.mean_of_shards(h)
    return (o.gather(o.low(centred * o.rsqrt(o.mean_of_shards(centred * centred) + EPSILON)) * g + b),)


@pattern(Role.PARTIAL, Role.SHARD_ROW, Role.SHARD_VEC, Role.SHARD_VEC, output_varies=True)
def sharded_norm_add_norm(o: Ops, p: Array, r: Array, g: Array, g2: Array) -> tuple[Array, ...]:
    h = o.low(_normed_shards(o, o.wide(o.my_columns(o.psum(p)))) * (1 + o.wide(g))) + r
    return o.gather(o.low(_normed_shards(o, o.wide(h)) * (1 + o.wide(g2)))), h


@pattern(Role.PARTIAL, Role.SHARD_ROW, Role.SHARD_VEC)
def sharded_rms_all_low(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.my_columns(o.psum(p)) + r
    return (o.gather(_normed_shards(o, h) * g),)


@pattern(Role.SHARD_ROW, Role.SHARD_VEC)
def norm_of_shards(o: Ops, h: Array, g: Array) -> tuple[Array, ...]:
    return (o.gather(o.low(_normed_shards(o, o.wide(h))) * g),)


@pattern(Role.PARTIAL, Role.SHARD_VEC, output_varies=True)
def sharded_norm_kept_in_shards(o: Ops, p: Array, g: Array) -> tuple[Array, ...]:
    return (o.low(_normed_shards(o, o.wide(o.my_columns(o.psum(p))))) * g,)


@pattern(Role.PARTIAL, Role.SHARD_ROW, Role.SHARD_VEC)
def gathered_residual_and_weights(o: Ops, p: Array, r: Array, g: Array) -> tuple[Array, ...]:
    h = o.psum(p) + o.gather(r)
    return (o.low(normed(o, o.wide(h))) * o.gather(g),)


SHARDED = (
    "sharded_rms",
    "sharded_rms_scaled_as_columns",
    "sharded_rms_and_its_residual",
    "sharded_rms_all_low",
    "sharded_scaling_alone",
    "sharded_layer_norm",
    "sharded_norm_add_norm",
    "norm_of_shards",
    "sharded_norm_kept_in_shards",
    "gathered_residual_and_weights",
)
SHAPES = ((3, 48), (8, 1024))
# For one row, XLA:CPU moves the instructions between all-gather and sum into a separate computation, whose full-size
# work the pass does not absorb.
ONE_ROW = [name for name in SHARDED if name != "gathered_residual_and_weights"]


def all_cases() -> dict[str, Case]:
    """Both modules' cases, by name."""
    every = [Case(name, dtype, (4, 96), mesh) for name in SHARDED for dtype in DTYPES for mesh in MESHES]
    every += [Case(name, "bf16", shape) for name in SHARDED for shape in SHAPES]
    every += [Case(name, "bf16", (1, 16)) for name in ONE_ROW]
    return numerics_patterns.cases() | {case.name: case for case in every}
