# SPDX-License-Identifier: Apache-2.0
"""Collectives over one or several mesh axes, under shard_map."""

from __future__ import annotations

import math

from programs.builder import Builder, Unfit, Value, cast
from programs.operations import operation


def _axes(b: Builder) -> tuple[str, frozenset[str], int]:
    """Axes as text and as a set, and the number of ranks in a group."""
    names = list(b.axes)
    if len(names) > 1 and b.chance(0.2):
        text = "(" + ", ".join(f'"{name}"' for name in names) + ")"
        return text, frozenset(names), math.prod(b.axes.values())
    name = names[-1] if b.chance(0.75) else b.random.choice(names)
    return f'"{name}"', frozenset([name]), b.axes[name]


def _partial(b: Builder) -> Value:
    """A value to sum over ranks: usually one that varies, often made smaller."""
    value = b.pick(lambda v: v.is_float and (bool(v.varies) or b.chance(0.2)))
    if b.chance(0.5):
        value = b.emit(b.random.choice(["{0} * 0.25", "jnp.tanh({0}) * 0.3"]).format(value), like=value)
    return value


def _exchange(b: Builder, form: str, value: Value, *, growth: bool) -> Value:
    axes, names, ranks = _axes(b)
    bound = value.bound * (ranks if growth else 1)
    return b.emit(form.format(value, axes), like=value, bound=bound, varies=value.varies - names)


@operation(10, automatic=False, collective=True, smooth=True)
def psum(b: Builder) -> None:
    _exchange(b, "lax.psum({0}, {1})", _partial(b), growth=True)


@operation(3, automatic=False, collective=True, smooth=True)
def pmean(b: Builder) -> None:
    _exchange(b, "lax.pmean({0}, {1})", _partial(b), growth=False)


@operation(2, automatic=False, collective=True)
def largest_over_ranks(b: Builder) -> None:
    form = b.random.choice(["lax.pmax({0}, {1})", "lax.pmin({0}, {1})"])
    _exchange(b, form, b.pick(lambda value: value.is_float), growth=False)


@operation(2, automatic=False, collective=True)
def integer_psum(b: Builder) -> None:
    value = b.pick(lambda v: v.dtype in ("int32", "bool"))
    axes, names, _ = _axes(b)
    text = f"lax.psum({value}.astype(jnp.int32), {axes}) % 1000"
    b.emit(text, like=value, dtype="int32", varies=value.varies - names)


@operation(3, automatic=False, collective=True, smooth=True)
def tuple_of_sums(b: Builder) -> None:
    first = _partial(b)
    second = b.pick(lambda v: v.is_float and (v.shape == first.shape or b.chance(0.4)))
    axes, names, ranks = _axes(b)
    one, two = b.emit_several(
        f"lax.psum(({first}, {second} * 0.5), {axes})",
        [(first.shape, first.dtype), (second.shape, second.dtype)],
        bound=max(first.bound, second.bound) * ranks,
        same_along=names,
    )
    if one.shape == two.shape and b.chance(0.6):
        b.emit(f"{one} + {cast(two, one.dtype)}", like=one)


@operation(5, automatic=False, collective=True, smooth=True)
def row_parallel_product(b: Builder) -> None:
    """A product with this rank's rows of a weight, summed over the ranks: the end of a block."""
    value = b.pick(lambda v: v.is_float and len(v.shape) >= 1 and v.size > 0)
    weight = b.pick(lambda v: v.is_float and len(v.shape) == 2 and v.shape[0] == value.shape[-1] and bool(v.varies))
    shape = (*value.shape[:-1], weight.shape[1])
    partial = b.emit(
        f"{value} @ {cast(weight, value.dtype)} * {0.5 / math.sqrt(value.shape[-1]):.4g}", like=value, shape=shape
    )
    _exchange(b, "lax.psum({0}, {1})", partial, growth=True)


@operation(2, automatic=False, collective=True, smooth=True)
def psum_scatter(b: Builder) -> None:
    value = _partial(b)
    axes, names, ranks = _axes(b)
    places = [i for i, size in enumerate(value.shape) if size and size % ranks == 0]
    if not places:
        raise Unfit
    place = b.random.choice(places)
    shape = tuple(size // ranks if i == place else size for i, size in enumerate(value.shape))
    b.emit(
        f"lax.psum_scatter({value}, {axes}, scatter_dimension={place}, tiled=True)",
        like=value,
        shape=shape,
        bound=value.bound * ranks,
        varies=value.varies | names,
    )


@operation(4, automatic=False, collective=True, smooth=True)
def all_gather(b: Builder) -> None:
    value = b.pick(lambda v: v.is_float and len(v.shape) >= 1)
    axes, names, ranks = _axes(b)
    place = b.random.choice([0, len(value.shape) - 1])
    if not value.shape[place]:  # JAX cannot gather along an empty dimension
        raise Unfit
    tiled = b.chance(0.8)
    grown = tuple(size * (ranks if i == place else 1) for i, size in enumerate(value.shape))
    shape = grown if tiled else (*value.shape[:place], ranks, *value.shape[place:])
    text = f"lax.all_gather({value}, {axes}, axis={place}, tiled={tiled})"
    b.emit(text, like=value, shape=shape, varies=value.varies - names)


@operation(1, automatic=False, collective=True, smooth=True)
def all_to_all(b: Builder) -> None:
    value = b.pick(lambda v: v.is_float and len(v.shape) >= 1 and v.size > 0)
    axis = b.random.choice(list(b.axes))
    ranks = b.axes[axis]
    places = [i for i, size in enumerate(value.shape) if size % ranks == 0]
    if not places:
        raise Unfit
    split, joined = b.random.choice(places), b.random.randrange(len(value.shape))
    shape = list(value.shape)
    shape[split] //= ranks
    shape[joined] *= ranks
    text = f'lax.all_to_all({value}, "{axis}", {split}, {joined}, tiled=True)'
    b.emit(text, like=value, shape=tuple(shape), varies=value.varies | {axis})


@operation(2, automatic=False, collective=True, smooth=True)
def ppermute(b: Builder) -> None:
    value = b.pick(lambda v: v.is_float)
    axis = b.random.choice(list(b.axes))
    ranks = b.axes[axis]
    pairs = f"[(i, (i + 1) % {ranks}) for i in range({ranks})]"
    b.emit(f'lax.ppermute({value}, "{axis}", {pairs})', like=value, varies=value.varies | {axis})


def _own_columns(b: Builder, value: Value, axis: str, *, shifted: bool = False) -> Value:
    width = value.shape[-1] // b.axes[axis]
    place = f'lax.axis_index("{axis}")'
    if shifted:
        place = f"(({place} + 1) % {b.axes[axis]})"
    shape = (*value.shape[:-1], width)
    text = f"lax.dynamic_slice_in_dim({value}, {place} * {width}, {width}, {len(shape) - 1})"
    return b.emit(text, like=value, shape=shape, varies=value.varies | {axis})


def _splittable(b: Builder, axis: str) -> Value:
    return b.pick(lambda v: v.is_float and len(v.shape) >= 1 and v.size > 0 and v.shape[-1] % b.axes[axis] == 0)


@operation(3, automatic=False, smooth=True)
def own_columns(b: Builder) -> None:
    axis = b.random.choice(list(b.axes))
    _own_columns(b, _splittable(b, axis), axis, shifted=b.chance(0.2))


@operation(4, automatic=False, collective=True, smooth=True)
def sharded_norm(b: Builder) -> None:
    """A norm whose columns are sharded over the ranks, as GSPMD writes it."""
    axis = list(b.axes)[-1] if b.chance(0.8) else b.random.choice(list(b.axes))
    value = _splittable(b, axis)
    shard = _own_columns(b, value, axis)
    if b.chance(0.6):
        shard = b.emit(cast(shard, "float32"), like=shard, dtype="float32")
    squares = b.emit(
        f"jnp.sum(jnp.square({shard}.astype(jnp.float32)), -1)", like=shard, shape=shard.shape[:-1], dtype="float32"
    )
    total = b.emit(f'lax.psum({squares}, "{axis}") / {value.shape[-1]}', like=squares, varies=value.varies - {axis})
    normed = b.emit(
        f"{shard} * lax.rsqrt({total} + 1e-3)[..., None].astype({shard}.dtype)",
        like=shard,
        bound=math.sqrt(value.shape[-1]) + 1,
    )
    narrow = b.emit(f"{normed}.astype(jnp.{value.dtype})", like=normed, dtype=value.dtype)
    if b.chance(0.8):
        text = f'lax.all_gather({narrow}, "{axis}", axis={len(value.shape) - 1}, tiled=True)'
        b.emit(text, like=narrow, shape=value.shape, varies=value.varies - {axis})
