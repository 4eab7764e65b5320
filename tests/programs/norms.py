# SPDX-License-Identifier: Apache-2.0
"""Norms as model libraries spell them, softmax and other statistics of rows."""

from __future__ import annotations

import math

from programs.builder import Builder, Unfit, Value, cast, fits_into
from programs.operations import operation


def _rows(b: Builder) -> Value:
    return b.pick(lambda value: value.is_float and len(value.shape) >= 1 and value.size > 0)


def _wide(b: Builder, value: Value) -> Value:
    """The value in f32, or sometimes as it is, if its squares can be summed in its own type."""
    narrow_is_safe = value.dtype == "bfloat16" or value.bound**2 * value.shape[-1] < 3e4
    if value.dtype == "float32" or (narrow_is_safe and b.chance(0.15)):
        return value
    return b.emit(cast(value, "float32"), like=value, dtype="float32")


def _weight(b: Builder, width: int) -> Value | None:
    try:
        return b.pick(lambda value: value.is_float and fits_into((width,), value.shape))
    except Unfit:
        return None


def _weighted(b: Builder, normed: Value, dtype: str) -> None:
    """Applies a weight before or after the cast back, or none."""
    weight = _weight(b, normed.shape[-1])
    bound = min(normed.bound, math.sqrt(normed.shape[-1]))
    if weight is None or b.chance(0.2):
        b.emit(cast(normed, dtype), like=normed, dtype=dtype, bound=bound)
    elif b.chance(0.4):
        inside = cast(weight, normed.dtype)
        text = f"({normed} * {b.random.choice([inside, f'(1 + 0.1 * {inside})'])}).astype(jnp.{dtype})"
        b.emit(text, like=normed, dtype=dtype, bound=bound * 4)
    else:
        b.emit(f"{cast(normed, dtype)} * {cast(weight, dtype)}", like=normed, dtype=dtype, bound=bound * 4)


@operation(6, smooth=True)
def rms_norm(b: Builder) -> None:
    value = _rows(b)
    wide = _wide(b, value)
    width = value.shape[-1]
    squares = b.random.choice(["jnp.square({0})", "{0} * {0}", "{0} ** 2"]).format(wide)
    mean = b.random.choice(
        [
            f"jnp.mean({squares}, -1, keepdims=True)",
            f"jnp.sum({squares}, -1, keepdims=True) / {width}",
            f"jnp.sum({squares}, -1, keepdims=True) * {1 / width!r}",
            f"jnp.mean({squares}, axis=-1)[..., None]",
        ]
    )
    ms = b.emit(mean, like=wide, shape=(*value.shape[:-1], 1), bound=wide.bound**2)
    scale = b.random.choice(["{0} * lax.rsqrt({1} + 1e-3)", "{0} / jnp.sqrt({1} + 1e-3)", "{0} / ({1} + 1e-3) ** 0.5"])
    normed = b.emit(scale.format(wide, ms), like=wide, bound=min(wide.bound * 32, math.sqrt(width) + 1))
    _weighted(b, normed, value.dtype)


@operation(1, smooth=True)
def rms_norm_weight_first(b: Builder) -> None:
    value = _rows(b)
    weight = _weight(b, value.shape[-1])
    if weight is None:
        raise Unfit
    wide = cast(value, "float32")
    ms = b.emit(
        f"jnp.mean(jnp.square({wide}), -1, keepdims=True)",
        like=value,
        shape=(*value.shape[:-1], 1),
        dtype="float32",
        bound=value.bound**2,
    )
    b.emit(
        f"({value} * {cast(weight, value.dtype)}) / jnp.sqrt({ms} + 1e-3).astype(jnp.{value.dtype})",
        like=value,
        bound=math.sqrt(value.shape[-1]) * 4,
    )


@operation(3, smooth=True)
def layer_norm(b: Builder) -> None:
    value = _rows(b)
    wide = _wide(b, value)
    shape = (*value.shape[:-1], 1)
    bound = math.sqrt(value.shape[-1]) + 1
    mean = b.emit(f"jnp.mean({wide}, -1, keepdims=True)", like=wide, shape=shape)
    if b.chance(0.5):
        centred = b.emit(f"{wide} - {mean}", like=wide, bound=2 * wide.bound)
        var = b.emit(f"jnp.mean(jnp.square({centred}), -1, keepdims=True)", like=wide, shape=shape)
        normed = b.emit(f"{centred} * lax.rsqrt({var} + 1e-3)", like=wide, bound=bound)
    elif b.chance(0.5):
        normed = b.emit(f"({wide} - {mean}) / jnp.sqrt({wide}.var(-1, keepdims=True) + 1e-3)", like=wide, bound=bound)
    else:
        factor = b.emit(f"lax.rsqrt(jnp.var({wide}, -1, keepdims=True) + 1e-3)", like=wide, shape=shape, bound=32)
        normed = b.emit(f"{wide} * {factor} + (-{mean} * {factor})", like=wide, bound=bound)
    _weighted(b, normed, value.dtype)


@operation(1, smooth=True)
def group_norm(b: Builder) -> None:
    """Normalizes each head or group separately."""
    value = b.pick(
        lambda other: other.is_float and len(other.shape) >= 1 and other.shape[-1] % 2 == 0 and other.size > 0
    )
    groups = b.random.choice([g for g in (2, 4, 8) if value.shape[-1] % g == 0])
    grouped = (*value.shape[:-1], groups, value.shape[-1] // groups)
    heads = b.emit(f"{cast(value, 'float32')}.reshape{grouped}", like=value, shape=grouped, dtype="float32")
    ms = b.emit(f"jnp.mean({heads} * {heads}, -1, keepdims=True)", like=heads, shape=(*grouped[:-1], 1))
    text = f"({heads} * lax.rsqrt({ms} + 1e-3)).reshape{value.shape}.astype(jnp.{value.dtype})"
    b.emit(text.replace(",)", ",)"), like=value, bound=math.sqrt(grouped[-1]) + 1)


@operation(3, smooth=True)
def softmax(b: Builder) -> None:
    value = _rows(b)
    axis = b.random.choice([-1, -1, -1, 0])
    wide = cast(value, "float32")
    text = b.random.choice(
        [
            f"jax.nn.softmax({wide}, axis={axis}).astype(jnp.{value.dtype})",
            f"jax.nn.softmax({value}, axis={axis})",
            f"jax.nn.log_softmax({wide}, axis={axis}).astype(jnp.{value.dtype})",
        ]
    )
    b.emit(text, like=value, bound=2 * value.bound + 9 if "log" in text else 1)


@operation(1, smooth=True)
def softmax_by_hand(b: Builder) -> None:
    value = _rows(b)
    top = b.emit(f"jnp.max({value}, -1, keepdims=True)", like=value, shape=(*value.shape[:-1], 1))
    powers = b.emit(f"jnp.exp({value} - lax.stop_gradient({top}))", like=value, bound=1)
    b.emit(f"{powers} / jnp.sum({powers}, -1, keepdims=True)", like=value, bound=1)


@operation(1, smooth=True)
def log_sum_exp(b: Builder) -> None:
    value = _rows(b)
    b.emit(f"jax.nn.logsumexp({cast(value, 'float32')}, -1)", like=value, shape=value.shape[:-1], dtype="float32")


@operation(1)
def standardized_columns(b: Builder) -> None:
    """Statistics over rows instead of within a row."""
    value = _rows(b)
    wide = cast(value, "float32")
    text = f"(({wide} - jnp.mean({wide}, 0)) * lax.rsqrt(jnp.var({wide}, 0) + 1e-3)).astype(jnp.{value.dtype})"
    b.emit(text, like=value, bound=math.sqrt(value.shape[0]) + 1)


@operation(3)
def statistic(b: Builder) -> None:
    value = _rows(b)
    axis = b.random.choice([-1, -1, 0, len(value.shape) - 1])
    keep = b.chance(0.5)
    name = b.random.choice(["max", "min", "mean", "sum"])
    place = axis % len(value.shape)
    shape = tuple(1 if i == place else size for i, size in enumerate(value.shape) if keep or i != place)
    scale = f" * {1 / math.sqrt(value.shape[axis]):.4g}" if name == "sum" else ""
    text = f"jnp.{name}({value}, {axis}{', keepdims=True' if keep else ''}){scale}"
    b.emit(text, like=value, shape=shape, bound=value.bound * (math.sqrt(value.shape[axis]) if scale else 1))


@operation(1)
def quantized(b: Builder) -> None:
    """Quantizes rows to integers with one scale per row."""
    value = _rows(b)
    wide = cast(value, "float32")
    shape = (*value.shape[:-1], 1)
    scale = b.emit(
        f"jnp.max(jnp.abs({wide}), -1, keepdims=True) / 127 + 1e-6", like=value, shape=shape, dtype="float32"
    )
    text = f"jnp.clip(jnp.round({wide} / {scale}), -127, 127)"
    if b.chance(0.5):
        whole = b.emit(f"{text}.astype(jnp.int8)", like=value, dtype="int8")
        b.emit(f"({whole}.astype(jnp.float32) * {scale}).astype(jnp.{value.dtype})", like=value)
    else:
        b.emit(f"({text} * {scale}).astype(jnp.{value.dtype})", like=value)
