# SPDX-License-Identifier: Apache-2.0
"""Data movement: reshapes, transposes, slices, gathers, concatenations; and a running sum."""

from __future__ import annotations

from programs.builder import Builder, Shape, Unfit, Value
from programs.operations import operation


def _array(b: Builder, rank: int = 1) -> Value:
    return b.pick(lambda value: value.is_float and len(value.shape) >= rank and value.size > 0)


def _other_shapes(shape: Shape) -> list[Shape]:
    """Shapes that models reshape to: dimensions merged, or the last one split into heads."""
    size = 1
    for extent in shape:
        size *= extent
    shapes: list[Shape] = [(size,), (*shape, 1), (1, *shape)]
    if len(shape) >= 2:
        shapes += [(shape[0] * shape[1], *shape[2:]), (*shape[:-2], shape[-2] * shape[-1])]
    shapes += [(*shape[:-1], heads, shape[-1] // heads) for heads in (2, 4, 8) if shape[-1] % heads == 0]
    shapes += [(parts, shape[0] // parts, *shape[1:]) for parts in (2, 4) if shape[0] % parts == 0]
    return [other for other in shapes if len(other) <= 4]


@operation(5, smooth=True)
def reshape(b: Builder) -> None:
    value = _array(b)
    shape = b.random.choice(_other_shapes(value.shape))
    b.emit(f"{value}.reshape({', '.join(map(str, shape))})", like=value, shape=shape)


@operation(2, smooth=True)
def as_before(b: Builder) -> None:
    """Back to the shape of an earlier value with as many elements."""
    value = _array(b)
    shape = b.random.choice([other.shape for other in b.pool if other.size == value.size and other.shape])
    b.emit(f"{value}.reshape({', '.join(map(str, shape))})", like=value, shape=shape)


@operation(3, smooth=True)
def transpose(b: Builder) -> None:
    value = _array(b, 2)
    order = list(range(len(value.shape)))
    b.random.shuffle(order)
    shape = tuple(value.shape[i] for i in order)
    b.emit(f"jnp.transpose({value}, {tuple(order)})", like=value, shape=shape)


@operation(2, smooth=True)
def swap_last(b: Builder) -> None:
    value = _array(b, 2)
    shape = (*value.shape[:-2], value.shape[-1], value.shape[-2])
    b.emit(f"jnp.swapaxes({value}, -1, -2)", like=value, shape=shape)


@operation(3, smooth=True)
def part(b: Builder) -> None:
    value = _array(b)
    width = value.shape[-1]
    half = max(1, width // 2)
    text, columns = b.random.choice(
        [
            (f"{value}[..., :{half}]", half),
            (f"{value}[..., -{half}:]", half),
            (f"{value}[..., ::2]", (width + 1) // 2),
            (f"{value}[..., ::-1]", width),
            (f"jnp.roll({value}, 1, -1)", width),
        ]
    )
    b.emit(text, like=value, shape=(*value.shape[:-1], columns))


@operation(2, smooth=True)
def some_rows(b: Builder) -> None:
    value = _array(b, 2)
    rows = value.shape[0]
    text, shape = b.random.choice(
        [
            (f"{value}[-1:]", (1, *value.shape[1:])),
            (f"{value}[0]", value.shape[1:]),
            (f"{value}[::-1]", value.shape),
            (f"{value}[:{(rows + 1) // 2}]", ((rows + 1) // 2, *value.shape[1:])),
        ]
    )
    b.emit(text, like=value, shape=shape)


@operation(2, smooth=True)
def rotary_halves(b: Builder) -> None:
    """Rotates the halves of the last dimension against each other, as position embeddings do."""
    value = b.pick(
        lambda other: other.is_float and len(other.shape) >= 1 and other.shape[-1] % 2 == 0 and other.size > 0
    )
    half = value.shape[-1] // 2
    low, high = f"{value}[..., :{half}]", f"{value}[..., {half}:]"
    b.emit(f"jnp.concatenate([{low} * 0.8 - {high} * 0.6, {high} * 0.8 + {low} * 0.6], -1)", like=value)


@operation(2, smooth=True)
def joined(b: Builder) -> None:
    value = _array(b)
    other = b.pick(lambda v: v.is_float and v.shape == value.shape)
    axis = b.random.choice([0, len(value.shape) - 1])
    shape = tuple(size * (2 if i == axis else 1) for i, size in enumerate(value.shape))
    text = f"jnp.concatenate([{value}, {other}.astype(jnp.{value.dtype})], {axis})"
    b.emit(text, like=value, shape=shape, bound=max(value.bound, other.bound))


@operation(1, smooth=True)
def stacked(b: Builder) -> None:
    value = _array(b)
    other = b.pick(lambda v: v.dtype == value.dtype and v.shape == value.shape)
    b.emit(
        f"jnp.stack([{value}, {other} * 0.5])", like=value, shape=(2, *value.shape), bound=max(value.bound, other.bound)
    )


@operation(1, smooth=True)
def padded(b: Builder) -> None:
    value = _array(b)
    pads = ", ".join(["(0, 0)"] * (len(value.shape) - 1) + ["(1, 2)"])
    b.emit(f"jnp.pad({value}, [{pads}])", like=value, shape=(*value.shape[:-1], value.shape[-1] + 3))


@operation(2, smooth=True)
def first_column_everywhere(b: Builder) -> None:
    value = _array(b)
    b.emit(f"jnp.broadcast_to({value}[..., :1], {value.shape}) + {value}", like=value, bound=2 * value.bound)


@operation(1, smooth=True)
def new_leading_dimension(b: Builder) -> None:
    value = _array(b)
    b.emit(f"jnp.broadcast_to({value}[None], {(2, *value.shape)})", like=value, shape=(2, *value.shape))


@operation(1, smooth=True)
def running_sum(b: Builder) -> None:
    value = _array(b)
    b.emit(f"jnp.cumsum({value}, -1) * {1 / value.shape[-1]:.4g}", like=value)


@operation(3)
def looked_up_rows(b: Builder) -> None:
    """Rows by index, as in an embedding; indices come from an input or are computed."""
    table = _array(b, 2)
    try:
        ids = b.pick(lambda value: value.dtype == "int32" and 1 <= len(value.shape) <= 2)
    except Unfit:
        ids = b.emit(
            f"(jnp.arange(5) * 7) % {table.shape[0]}", like=table, shape=(5,), dtype="int32", varies=frozenset()
        )
    text = b.random.choice(["{0}[{1} % {2}]", "jnp.take({0}, {1} % {2}, axis=0)"])
    b.emit(text.format(table, ids, table.shape[0]), like=table, shape=(*ids.shape, *table.shape[1:]))


@operation(2)
def slice_at_a_place(b: Builder) -> None:
    value = _array(b)
    try:
        place = b.pick(lambda other: other.dtype == "int32" and other.shape == ()).name
    except Unfit:
        place = "1"
    width = max(1, value.shape[-1] // 2)
    shape = (*value.shape[:-1], width)
    b.emit(f"lax.dynamic_slice_in_dim({value}, {place}, {width}, {len(shape) - 1})", like=value, shape=shape)


@operation(2)
def stored_at_a_place(b: Builder) -> None:
    """Writes a row into a larger array, as a cache does."""
    value = _array(b, 2)
    try:
        place = b.pick(lambda other: other.dtype == "int32" and other.shape == ()).name
    except Unfit:
        place = "0"
    row = b.pick(lambda other: other.is_float and other.shape == value.shape[1:])
    text = f"lax.dynamic_update_slice_in_dim({value}, {row}[None].astype(jnp.{value.dtype}), {place}, 0)"
    b.emit(text, like=value, bound=max(value.bound, row.bound))
