# SPDX-License-Identifier: Apache-2.0
"""Arithmetic, activations, casts and masks."""

from __future__ import annotations

from programs.builder import FLOATS, Builder, Value, cast, fits_into
from programs.operations import operation

# (text of an activation, bound of its result for an operand bounded by `b`).
_ACTIVATIONS = [
    ("jnp.tanh({0})", "1"),
    ("jax.nn.silu({0})", "b"),
    ("jax.nn.gelu({0}, approximate=True)", "b"),
    ("jax.nn.gelu({0}, approximate=False)", "b"),
    ("jax.nn.sigmoid({0})", "1"),
    ("jax.nn.softplus({0})", "b + 1"),
    ("jnp.exp(jnp.minimum({0}, 1))", "3"),
    ("jnp.square({0}) * 0.1", "b * b / 10"),
    ("jnp.sqrt(jnp.abs({0}) + 0.1)", "b + 1"),
    ("jnp.log1p(jnp.abs({0}))", "b"),
    ("lax.rsqrt(jnp.abs({0}) + 0.5)", "2"),
    ("jnp.sin({0})", "1"),
    ("jnp.cos({0})", "1"),
    ("lax.erf({0})", "1"),
    ("30 * jnp.tanh({0} / 30)", "30"),
    ("-{0}", "b"),
    ("1 - {0} * 0.5", "b + 1"),
    ("lax.integer_pow({0}, 3) * 0.02", "b * b * b / 50"),
]
_KINKED = [
    ("jax.nn.relu({0})", "b"),
    ("jnp.abs({0})", "b"),
    ("jnp.where({0} > 0, {0}, jnp.tanh({0}))", "b"),
    ("jnp.clip({0}, -1, 1)", "1"),
    ("jnp.maximum({0}, 0.25)", "b + 1"),
    ("jnp.minimum({0}, 0.7) + jnp.clip({0}, -1, 1)", "b + 1"),
    ("jnp.floor({0} * 4) / 4", "b + 1"),
    ("jnp.round({0} * 2)", "b * 2"),
    ("jnp.sign({0}) * 0.5", "1"),
    ("jnp.nan_to_num({0})", "b"),
    ("jnp.where(jnp.isfinite({0}), {0}, 0)", "b"),
    ("jnp.remainder({0}, 1.5)", "2"),
]


def _apply(b: Builder, forms: list[tuple[str, str]]) -> None:
    value = b.pick()
    text, bound = b.random.choice(forms)
    b.emit(text.format(value), like=value, bound=float(eval(bound, {"b": value.bound})))


@operation(6, smooth=True)
def activation(b: Builder) -> None:
    _apply(b, _ACTIVATIONS)


@operation(2)
def kinked_activation(b: Builder) -> None:
    _apply(b, _KINKED)


def _partner(b: Builder, value: Value) -> Value:
    return b.pick(lambda other: other.is_float and fits_into(value.shape, other.shape))


@operation(8, smooth=True)
def residual_add(b: Builder) -> None:
    value = b.pick()
    other = _partner(b, value)
    sign = b.random.choice("+++-")
    b.emit(f"{value} {sign} {cast(other, value.dtype)}", like=value, bound=value.bound + other.bound)


@operation(4, smooth=True)
def gated_product(b: Builder) -> None:
    value = b.pick()
    other = _partner(b, value)
    gate = b.random.choice(["jnp.tanh({0})", "jax.nn.sigmoid({0})", "(1 + 0.1 * jnp.tanh({0}))"])
    b.emit(f"{value} * {gate.format(cast(other, value.dtype))}", like=value, bound=value.bound * 1.1)


@operation(2, smooth=True)
def quotient(b: Builder) -> None:
    value = b.pick()
    other = _partner(b, value)
    b.emit(f"{value} / (1 + jnp.abs({cast(other, value.dtype)}))", like=value)


@operation(2)
def larger_or_smaller(b: Builder) -> None:
    value = b.pick()
    other = _partner(b, value)
    name = b.random.choice(["maximum", "minimum"])
    b.emit(f"jnp.{name}({value}, {cast(other, value.dtype)})", like=value, bound=max(value.bound, other.bound))


@operation(3, smooth=True)
def convert(b: Builder) -> None:
    value = b.pick()
    dtype = b.random.choice([b.low, "float32", "float32", b.random.choice(FLOATS)])
    b.emit(f"{value}.astype(jnp.{dtype})", like=value, dtype=dtype)


@operation(1, smooth=True)
def rounded_and_back(b: Builder) -> None:
    value = b.pick()
    b.emit(f"{value}.astype(jnp.bfloat16).astype(jnp.{value.dtype})", like=value)


@operation(2, smooth=True)
def scaled_by_number(b: Builder) -> None:
    value = b.pick()
    number = b.random.choice(["0.5", "2", "0.1767767", "1.7", "-0.3", "0.125"])
    b.emit(f"{value} * {number}", like=value, bound=value.bound * 2)


@operation(2)
def scaled_by_position(b: Builder) -> None:
    value = b.pick(lambda other: other.is_float and len(other.shape) >= 1 and other.size > 0)
    axis = b.random.randrange(len(value.shape))
    places = ", ".join(":" if i == axis else "None" for i in range(len(value.shape)))
    b.emit(
        f"{value} * (jnp.arange({value.shape[axis]}) % 3).astype({value}.dtype)[{places}]",
        like=value,
        bound=value.bound * 2,
    )


@operation(2)
def causal_mask(b: Builder) -> None:
    value = b.pick(lambda other: other.is_float and len(other.shape) >= 2 and other.size > 0)
    rows, columns = value.shape[-2:]
    mask = f"jnp.arange({rows})[:, None] >= jnp.arange({columns})[None, :]"
    b.emit(f"jnp.where({mask}, {value}, -30)", like=value, bound=max(30.0, value.bound))


@operation(1, automatic=False)
def different_on_each_rank(b: Builder) -> None:
    """Adds a value that depends on the rank, so that no later value may be taken for replicated."""
    value = b.pick()
    axis = b.random.choice(list(b.axes))
    text = b.random.choice(
        [
            f'{value} + 0.1 * lax.axis_index("{axis}").astype({value}.dtype)',
            f'jnp.where(lax.axis_index("{axis}") == 0, {value}, {value} * 0.5)',
            f'jnp.where(lax.axis_index("{axis}") % 2 == 1, {value}, jnp.zeros_like({value}))',
        ]
    )
    b.emit(text, like=value, bound=value.bound + 1, varies=value.varies | {axis})


@operation(1)
def barrier(b: Builder) -> None:
    value = b.pick()
    b.emit(f"lax.optimization_barrier({value})", like=value)
