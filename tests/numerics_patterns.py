"""In: a case (pattern, dtype, shape, mesh). Out: its inputs, and the pattern's function, for JAX or for float64.

A pattern is written once, against `Ops`. `JaxOps` runs it on each rank inside `jax.shard_map`; `HostOps` runs it in
float64 without any rounding, on all ranks at once: there, what differs between ranks has them as its first dimension.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

Array = Any  # jax.Array in JaxOps, a float64 np.ndarray in HostOps
EPSILON = 1e-6
LAYERS = 3
DTYPES = {"bf16": jnp.bfloat16, "f16": jnp.float16, "f32": jnp.float32}


class Role(enum.Enum):
    """What an input is: its shape, whether the ranks hold different ones, and the mean of its elements."""

    PARTIAL = ("rows h", True, 0.0)
    ROW = ("rows h", False, 0.0)
    RANK_ROW = ("rows h", True, 0.0)
    ROW_SCALAR = ("rows 1", False, 1.0)
    RANK_ROW_SCALAR = ("rows 1", True, 1.0)
    VEC = ("h", False, 1.0)
    RANK_VEC = ("h", True, 1.0)
    STACK = ("layers h", False, 1.0)
    RANK_STACK = ("layers h", True, 0.0)

    @property
    def varies(self) -> bool:
        """Whether each rank holds its own."""
        return self.value[1]


class Ops(Protocol):
    """What patterns are made of, beside the operators."""

    def psum(self, x: Array) -> Array: ...
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


@dataclasses.dataclass(frozen=True)
class JaxOps:
    """The operations as a user's model has them; `dtype` is the model's."""

    dtype: Any

    def psum(self, x: Array) -> Array:
        return jax.lax.psum(x, "tp")

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


@dataclasses.dataclass(frozen=True)
class HostOps:
    """The same in float64: casts round nothing. `mesh` is (dp, tp)."""

    mesh: tuple[int, int]

    def _over_ranks(self, reduce: Callable[..., Array], x: Array) -> Array:
        grouped = x.reshape(*self.mesh, *x.shape[1:])
        return np.broadcast_to(reduce(grouped, axis=1, keepdims=True), grouped.shape).reshape(x.shape)

    def psum(self, x: Array) -> Array:
        return self._over_ranks(np.sum, x)

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


@dataclasses.dataclass(frozen=True)
class Pattern:
    """`function(ops, *inputs)` gives a tuple of outputs; the rest is what the report must say of it."""

    function: Callable[..., tuple[Array, ...]]
    roles: tuple[Role, ...]
    verdict: str = "fused"
    calls: int = 1
    output_varies: bool = False


PATTERNS: dict[str, Pattern] = {}
Function = Callable[..., tuple[Array, ...]]


def pattern(*roles: Role, verdict: str = "fused", calls: int = 1, output_varies: bool = False) -> Any:
    """Enters the function below into PATTERNS under its name."""

    def enter(function: Function) -> Function:
        PATTERNS[function.__name__] = Pattern(function, roles, verdict, calls, output_varies)
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


@dataclasses.dataclass(frozen=True)
class Case:
    """A pattern at one dtype, shape (rows, H) and mesh (dp, tp)."""

    pattern: str
    dtype: str
    shape: tuple[int, int] = (4, 256)
    mesh: tuple[int, int] = (1, 8)

    @property
    def name(self) -> str:
        """An identifier; the jitted function is called so."""
        rows, width = self.shape
        dp, tp = self.mesh
        return f"{self.pattern}_{self.dtype}_{rows}x{width}_dp{dp}_tp{tp}"

    def inputs(self) -> list[np.ndarray[Any, Any]]:
        """From a seed, in the case's dtype. What varies has the ranks as its first dimension."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        sizes = {"rows": self.shape[0], "h": self.shape[1], "1": 1, "layers": LAYERS}
        made = []
        for role in PATTERNS[self.pattern].roles:
            dimensions, varies, mean = role.value
            shape = [sizes[dimension] for dimension in dimensions.split()]
            ranks = [math.prod(self.mesh)] if varies else []
            made.append(random.normal(mean, 0.5, size=ranks + shape).astype(DTYPES[self.dtype]))
        return made

    def expected(self) -> list[np.ndarray[Any, Any]]:
        """The outputs in float64, [ranks, ...]; those equal on all ranks may lack the first dimension."""
        wide = [
            _host_form(role, array.astype(np.float64))
            for role, array in zip(PATTERNS[self.pattern].roles, self.inputs(), strict=True)
        ]
        return list(PATTERNS[self.pattern].function(HostOps(self.mesh), *wide))


def _host_form(role: Role, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Makes the array broadcast against [ranks, rows, H], layer by layer where it has layers."""
    if role is Role.RANK_VEC:
        return array[:, None, :]
    if role is Role.RANK_STACK:
        return np.moveaxis(array, 1, 0)[:, :, None, :]
    return array


def cases() -> dict[str, Case]:
    """All of them, by name."""
    every = [Case(name, dtype) for name in PATTERNS for dtype in DTYPES]
    return {case.name: case for case in every}
