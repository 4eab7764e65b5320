# SPDX-License-Identifier: Apache-2.0
"""Products and sharding constraints for programs that GSPMD partitions; GSPMD chooses the collectives."""

from __future__ import annotations

import math

from programs.builder import Builder, Value, cast
from programs.operations import operation


def constraint(b: Builder, value: Value, *, replicated: bool = False) -> Value:
    """The value with a sharding constraint: over axes that divide a dimension, or replicated."""
    spec: list[str] = ["None"] * len(value.shape)
    if not replicated:
        for axis in b.random.sample(list(b.axes), len(b.axes)):
            places = [i for i, n in enumerate(value.shape) if n and n % b.axes[axis] == 0 and spec[i] == "None"]
            if places and b.chance(0.6):
                spec[b.random.choice(places)] = f'"{axis}"'
    placed = f"NamedSharding(mesh, P({', '.join(spec)}))"
    return b.emit(f"lax.with_sharding_constraint({value}, {placed})", like=value)


@operation(6, manual=False, smooth=True)
def sharding_constraint(b: Builder) -> None:
    constraint(b, b.pick(lambda value: value.is_float and len(value.shape) >= 1), replicated=b.chance(0.4))


def product(b: Builder, value: Value, weight: Value) -> Value:
    shape = (*value.shape[:-1], weight.shape[1])
    text = f"{value} @ {cast(weight, value.dtype)} * {1 / math.sqrt(value.shape[-1]):.4g}"
    return b.emit(text, like=value, shape=shape, bound=value.bound * 2)


@operation(8, smooth=True)
def product_with_weight(b: Builder) -> None:
    value = b.pick(lambda v: v.is_float and len(v.shape) >= 2 and v.size > 0)
    weight = b.pick(lambda w: w.is_float and len(w.shape) == 2 and w.shape[0] == value.shape[-1])
    made = product(b, value, weight)
    if not b.manual and b.chance(0.5):
        constraint(b, made, replicated=b.chance(0.7))


@operation(6, manual=False, smooth=True)
def feed_forward(b: Builder) -> None:
    """Column-parallel product, activation, row-parallel product, residual: a block that ends in an all-reduce."""
    value = b.pick(lambda v: v.is_float and len(v.shape) >= 2 and v.size > 0)
    up = b.pick(lambda w: w.is_float and len(w.shape) == 2 and w.shape[0] == value.shape[-1])
    down = b.pick(lambda w: w.is_float and len(w.shape) == 2 and w.shape == up.shape[::-1])
    wide = product(b, value, up)
    active = b.emit(f"jax.nn.silu({wide})", like=wide)
    out = product(b, active, down)
    if b.chance(0.5):
        out = constraint(b, out, replicated=True)
    b.emit(f"{out} + {value}", like=value, bound=out.bound + value.bound)


@operation(2, smooth=True)
def attention(b: Builder) -> None:
    """Self-attention of the rows: scores, softmax, weighted sum."""
    value = b.pick(lambda v: v.is_float and len(v.shape) in (2, 3) and v.size > 0 and v.shape[-2] <= 64)
    rows = value.shape[-2]
    scale = 1 / math.sqrt(value.shape[-1])
    scores = b.emit(
        f"{value} @ jnp.swapaxes({value}, -1, -2) * {scale:.4g}",
        like=value,
        shape=(*value.shape[:-1], rows),
        bound=value.bound**2 * 2,
    )
    odds = b.emit(f"jax.nn.softmax({cast(b.tamed(scores), 'float32')}, -1)", like=scores, dtype="float32", bound=1)
    b.emit(f"({odds}.astype(jnp.{value.dtype}) @ {value})", like=value)


@operation(1, smooth=True)
def total_over_everything(b: Builder) -> None:
    value = b.pick(lambda v: v.is_float and v.size > 0)
    b.emit(f"jnp.mean({cast(value, 'float32')} ** 2)", like=value, shape=(), dtype="float32", bound=value.bound**2)
