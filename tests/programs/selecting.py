# SPDX-License-Identifier: Apache-2.0
"""Comparisons, top-k, argmax, sorting: operations in which one wrong bit can change the result."""

from __future__ import annotations

from programs.builder import Builder, Value, cast
from programs.operations import operation


def _rows(b: Builder) -> Value:
    return b.pick(lambda value: value.is_float and len(value.shape) >= 1 and value.size > 0)


def _some(b: Builder, value: Value) -> int:
    return b.random.choice([1, min(2, value.shape[-1]), min(4, value.shape[-1])])


def _kept(b: Builder, value: Value) -> Value:
    """Which elements of each row are at least the k-th largest."""
    kth = b.emit(f"lax.top_k({value}, {_some(b, value)})[0][..., -1:]", like=value, shape=(*value.shape[:-1], 1))
    return b.emit(f"{value} >= {kth}", like=value, dtype="bool")


@operation(3)
def top_k_sampling(b: Builder) -> None:
    value = _rows(b)
    if b.chance(0.5):
        value = b.emit(f"{value} / 0.7", like=value, bound=value.bound * 1.5)
    kept = _kept(b, value)
    b.emit(f"{kept}.sum(-1, dtype=jnp.int32)", like=value, shape=value.shape[:-1], dtype="int32")
    masked = b.emit(f"jnp.where({kept}, {value}, -30)", like=value, bound=max(30.0, value.bound))
    if b.chance(0.7):
        b.emit(f"jax.nn.softmax({masked}, -1)", like=value, bound=1)


@operation(2)
def largest_of_each_row(b: Builder) -> None:
    value = _rows(b)
    form = b.random.randrange(4)
    rows = value.shape[:-1]
    if form == 0:
        b.emit(f"jnp.argmax({value}, -1).astype(jnp.int32)", like=value, shape=rows, dtype="int32")
    elif form == 1:
        b.emit(f"{value} == jnp.max({value}, -1, keepdims=True)", like=value, dtype="bool")
    elif form == 2:
        text = f"({value} == jnp.max({value}, -1, keepdims=True)).sum(-1, dtype=jnp.int32)"
        b.emit(text, like=value, shape=rows, dtype="int32")
    else:
        text = f"jax.nn.one_hot(jnp.argmax({value}, -1), {value.shape[-1]}, dtype=jnp.{value.dtype})"
        b.emit(text, like=value, bound=1)


@operation(1)
def routed(b: Builder) -> None:
    """A router: softmax, top-k, and weights that sum to one."""
    value = _rows(b)
    k = _some(b, value)
    shape = (*value.shape[:-1], k)
    odds = b.emit(f"jax.nn.softmax({cast(value, 'float32')}, -1)", like=value, dtype="float32", bound=1)
    best, index = b.emit_several(f"lax.top_k({odds}, {k})", [(shape, "float32"), (shape, "int32")], bound=1)
    b.emit(f"{best} / {best}.sum(-1, keepdims=True)", like=best)
    b.emit(f"jnp.take_along_axis({value}, {index}, -1)", like=value, shape=shape)


@operation(1)
def sorted_rows(b: Builder) -> None:
    value = _rows(b)
    if b.chance(0.5):
        b.emit(f"jnp.sort({value}, -1)", like=value)
    else:
        b.emit(f"jnp.argsort({value}, -1).astype(jnp.int32)", like=value, dtype="int32")


@operation(2)
def above_a_threshold(b: Builder) -> None:
    value = _rows(b)
    mask = b.emit(
        b.random.choice(
            [f"{value} > 0.1", f"{value} > jnp.mean({value}, -1, keepdims=True)", f"jnp.isfinite({value})"]
        ),
        like=value,
        dtype="bool",
    )
    b.emit(f"jnp.where({mask}, {value}, 0)", like=value)
    if b.chance(0.5):
        b.emit(f"jnp.any({mask}, -1)", like=mask, shape=mask.shape[:-1])


@operation(1)
def where_a_mask_says(b: Builder) -> None:
    mask = b.pick(lambda value: value.dtype == "bool" and value.size > 0)
    value = b.pick(lambda other: other.is_float and other.shape == mask.shape)
    b.emit(f"jnp.where({mask}, {value}, {value} * 0.5)", like=value, varies=value.varies | mask.varies)


@operation(1)
def to_integers(b: Builder) -> None:
    value = _rows(b)
    b.emit(f"jnp.clip(jnp.round({value} * 8), -100, 100).astype(jnp.int32)", like=value, dtype="int32")
