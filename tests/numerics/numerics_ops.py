# SPDX-License-Identifier: Apache-2.0
"""The operations of numerics patterns: in JAX, in float64, and rounded as declared.

`JaxOps` are what users write, on one rank inside `jax.shard_map`. `HostOps` do not round and work on all ranks at once:
values that differ between ranks have the rank as their first dimension. `DeclaredOps` do the same and round every
result to the type that the pattern declares for it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

Array = Any  # jax.Array in JaxOps, a float64 np.ndarray in HostOps, one of the declared type in DeclaredOps


class Ops(Protocol):
    """The operations that patterns use, besides Python's operators."""

    def psum(self, x: Array) -> Array: ...
    def psum_twice(self, x: Array) -> Array: ...  # over tp, then over dp
    def pmax(self, x: Array) -> Array: ...
    def pmin(self, x: Array) -> Array: ...
    def low(self, x: Array) -> Array: ...
    def wide(self, x: Array) -> Array: ...
    def cast(self, x: Array, dtype: Any) -> Array: ...
    def mean(self, x: Array) -> Array: ...
    def rsqrt(self, x: Array) -> Array: ...
    def sqrt(self, x: Array) -> Array: ...
    def tanh(self, x: Array) -> Array: ...
    def logistic(self, x: Array) -> Array: ...
    def gelu(self, x: Array, approximate: bool) -> Array: ...
    def where(self, condition: Array, x: Array, y: Array) -> Array: ...
    def clip(self, x: Array, low: float, high: float) -> Array: ...
    def amax(self, x: Array) -> Array: ...
    def abs(self, x: Array) -> Array: ...
    def scan(self, body: Callable[[Array, Any], tuple[Array, Any]], carry: Array, xs: Any) -> tuple[Array, Any]: ...
    def my_columns(self, x: Array) -> Array: ...
    def gather(self, x: Array) -> Array: ...
    def mean_of_shards(self, x: Array) -> Array: ...
    def scaled(self, x: Array, weight: Array) -> Array: ...


@dataclasses.dataclass(frozen=True)
class JaxOps:
    """The operations as in a user's model; `dtype` is the model's."""

    dtype: Any

    def psum(self, x: Array) -> Array:
        return jax.lax.psum(x, "tp")

    def psum_twice(self, x: Array) -> Array:
        return jax.lax.psum(self.psum(x), "dp")

    def pmax(self, x: Array) -> Array:
        return jax.lax.pmax(x, "tp")

    def pmin(self, x: Array) -> Array:
        return jax.lax.pmin(x, "tp")

    def low(self, x: Array) -> Array:
        return x.astype(self.dtype)

    def wide(self, x: Array) -> Array:
        return x.astype(jnp.float32)

    def cast(self, x: Array, dtype: Any) -> Array:
        return x.astype(dtype)

    def mean(self, x: Array) -> Array:
        return jnp.mean(x, axis=-1, keepdims=True)

    def rsqrt(self, x: Array) -> Array:
        return jax.lax.rsqrt(x)

    def sqrt(self, x: Array) -> Array:
        return jnp.sqrt(x)

    def tanh(self, x: Array) -> Array:
        return jnp.tanh(x)

    def logistic(self, x: Array) -> Array:
        return jax.nn.sigmoid(x)

    def gelu(self, x: Array, approximate: bool) -> Array:
        return jax.nn.gelu(x, approximate=approximate)

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return jnp.where(condition, x, y)

    def clip(self, x: Array, low: float, high: float) -> Array:
        return jnp.clip(x, low, high)

    def amax(self, x: Array) -> Array:
        return jnp.max(x, axis=-1, keepdims=True)

    def abs(self, x: Array) -> Array:
        return jnp.abs(x)

    def scan(self, body: Callable[[Array, Any], tuple[Array, Any]], carry: Array, xs: Any) -> tuple[Array, Any]:
        return jax.lax.scan(body, carry, xs)

    def my_columns(self, x: Array) -> Array:
        width = x.shape[-1] // jax.lax.axis_size("tp")
        return jax.lax.dynamic_slice_in_dim(x, jax.lax.axis_index("tp") * width, width, axis=-1)

    def gather(self, x: Array) -> Array:
        return jax.lax.all_gather(x, "tp", axis=x.ndim - 1, tiled=True)

    def mean_of_shards(self, x: Array) -> Array:
        total = jax.lax.psum(jnp.sum(x, axis=-1, keepdims=True), "tp")
        return total / (x.shape[-1] * jax.lax.axis_size("tp"))

    def scaled(self, x: Array, weight: Array) -> Array:
        """Rows times the weight, as MaxText spells it; with three dimensions, XLA:CPU multiplies [columns, rows]."""
        return jnp.einsum("...k,k->...k", x[:, None, :], weight)[:, 0, :]


@dataclasses.dataclass(frozen=True)
class HostOps:
    """The same in float64, where casts do not round. `mesh` is (dp, tp)."""

    mesh: tuple[int, int]

    def _over_ranks(self, reduce: Callable[..., Array], x: Array) -> Array:
        grouped = x.reshape(*self.mesh, *x.shape[1:])
        return np.broadcast_to(reduce(grouped, axis=1, keepdims=True), grouped.shape).reshape(x.shape)

    def psum(self, x: Array) -> Array:
        return self._over_ranks(np.sum, x)

    def psum_twice(self, x: Array) -> Array:
        return np.broadcast_to(x.sum(axis=0, keepdims=True), x.shape)

    def pmax(self, x: Array) -> Array:
        return self._over_ranks(np.max, x)

    def pmin(self, x: Array) -> Array:
        return self._over_ranks(np.min, x)

    def low(self, x: Array) -> Array:
        return x

    def wide(self, x: Array) -> Array:
        return x

    def cast(self, x: Array, dtype: Any) -> Array:
        del dtype
        return x

    def mean(self, x: Array) -> Array:
        return np.mean(x, axis=-1, keepdims=True)

    def rsqrt(self, x: Array) -> Array:
        return 1 / np.sqrt(x)

    def sqrt(self, x: Array) -> Array:
        return np.sqrt(x)

    def tanh(self, x: Array) -> Array:
        return np.tanh(x)

    def logistic(self, x: Array) -> Array:
        return 1 / (1 + np.exp(-x))

    def gelu(self, x: Array, approximate: bool) -> Array:
        if approximate:
            return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * np.vectorize(math.erfc)(-x / math.sqrt(2))

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition, x, y)

    def clip(self, x: Array, low: float, high: float) -> Array:
        return np.clip(x, low, high)

    def amax(self, x: Array) -> Array:
        return np.max(x, axis=-1, keepdims=True)

    def abs(self, x: Array) -> Array:
        return np.abs(x)

    def scan(self, body: Callable[[Array, Any], tuple[Array, Any]], carry: Array, xs: Any) -> tuple[Array, Any]:
        outputs = []
        for layer in zip(*xs, strict=True):
            carry, output = body(carry, layer)
            outputs.append(output)
        return carry, outputs

    def my_columns(self, x: Array) -> Array:
        dp, tp = self.mesh
        width = x.shape[-1] // tp
        whole = np.broadcast_to(x, (dp * tp, *x.shape[1:]))
        return np.stack([whole[rank, ..., (rank % tp) * width :][..., :width] for rank in range(dp * tp)])

    def gather(self, x: Array) -> Array:
        dp, tp = self.mesh
        whole = np.concatenate(np.moveaxis(x.reshape(dp, tp, *x.shape[1:]), 1, 0), axis=-1)
        return np.repeat(whole, tp, axis=0)

    def mean_of_shards(self, x: Array) -> Array:
        return self.psum(np.mean(x, axis=-1, keepdims=True)) / self.mesh[1]

    def scaled(self, x: Array, weight: Array) -> Array:
        return x * weight


@dataclasses.dataclass(frozen=True)
class DeclaredOps(HostOps):
    """The same on arrays of the declared types: each result is rounded to its type once, as numpy's operators do.

    Sums over ranks are f32, in rank order. `dtype` is the model's.
    """

    dtype: Any

    def low(self, x: Array) -> Array:
        return x.astype(self.dtype)

    def wide(self, x: Array) -> Array:
        return x.astype(np.float32)

    def cast(self, x: Array, dtype: Any) -> Array:
        return x.astype(dtype)

    def psum(self, x: Array) -> Array:
        return super().psum(x.astype(np.float32)).astype(x.dtype)

    def psum_twice(self, x: Array) -> Array:
        return super().psum_twice(x.astype(np.float32)).astype(x.dtype)

    def mean(self, x: Array) -> Array:
        return super().mean(x.astype(np.float64)).astype(x.dtype)

    def rsqrt(self, x: Array) -> Array:
        return super().rsqrt(x.astype(np.float64)).astype(x.dtype)

    def tanh(self, x: Array) -> Array:
        return super().tanh(x.astype(np.float64)).astype(x.dtype)

    def logistic(self, x: Array) -> Array:
        return super().logistic(x.astype(np.float64)).astype(x.dtype)

    def gelu(self, x: Array, approximate: bool) -> Array:
        return super().gelu(x.astype(np.float64), approximate).astype(x.dtype)

    def mean_of_shards(self, x: Array) -> Array:
        total = self.psum(np.sum(x.astype(np.float32), axis=-1, keepdims=True).astype(x.dtype))
        return (total / np.float32(x.shape[-1] * self.mesh[1])).astype(x.dtype)

    def scaled(self, x: Array, weight: Array) -> Array:
        return x * weight
