# SPDX-License-Identifier: Apache-2.0
"""Random scanned models: in JAX, on 8 devices by shard_map, and the same in numpy, in float64.

An iteration normalizes the residual stream, multiplies it by the rank's columns of one matrix and rows of another, and
adds the sum over ranks. The fields of a `LoopModel` say how it differs from the simplest one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

RANKS = 8
Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class LoopModel:
    """One model.

    Attributes:
      rows, width: of the residual stream.
      stack: number of layers with weights.
      rounds: trip count, not known to the compiler; may exceed the stack.
      index: which layer iteration i reads: "i", "back" (from the last), "twice" (2 i): all clamped by the slice.
      norm: "rms" or "layer".
      post: another norm follows the sum, before the residual add.
      collect: the normed rows are also written to an output, one iteration after the other.
      parallel: a second product reads the same norm, and its sum is added too.
      tokens: trip count of a loop around this one; 0: there is none.
      seed: of the weights.
    """

    rows: int = 4
    width: int = 64
    stack: int = 3
    rounds: int = 3
    index: str = "i"
    norm: str = "rms"
    post: bool = False
    collect: bool = False
    parallel: bool = False
    tokens: int = 0
    seed: int = 0

    def weights(self) -> dict[str, Array]:
        """The model's inputs, rounded to float32: x, gamma, after (the post-norm's), inner and outer."""
        random = np.random.default_rng(self.seed)
        shapes = {
            "x": (self.rows, self.width),
            "gamma": (self.stack, self.width),
            "after": (self.stack, self.width),
            "inner": (self.stack, self.width, 2 * RANKS),
            "outer": (self.stack, 2 * RANKS, self.width),
        }
        return {name: random.normal(size=shape).astype(np.float32).astype(np.float64) for name, shape in shapes.items()}

    def expected(self) -> tuple[Array, Array]:
        """The residual stream and the collected rows, in float64."""
        w = self.weights()
        x, collected = w["x"], np.zeros((self.rounds + 1, self.rows, self.width))
        for _ in range(max(self.tokens, 1)):
            for i in range(self.rounds):
                layer = min(max({"i": i, "back": self.stack - 1 - i, "twice": 2 * i}[self.index], 0), self.stack - 1)
                normed = _norm(self.norm, x, w["gamma"][layer])
                collected[i] = normed
                summed = np.tanh(normed @ w["inner"][layer]) @ w["outer"][layer]
                if self.parallel:
                    summed = summed + np.abs(normed @ w["inner"][layer]) @ w["outer"][layer]
                x = x + (_norm(self.norm, summed, w["after"][layer]) if self.post else summed)
            if self.tokens:
                x = x * 0.5
        return x, collected if self.collect else collected * 0

    def in_jax(self, mesh: Any) -> tuple[Array, Array]:
        """The same through XLA; the weights' rank dimension is sharded over `mesh`'s only axis, "tp"."""
        import jax
        import jax.numpy as jnp
        from jax.sharding import PartitionSpec as P

        def norm(x: Any, scale: Any) -> Any:
            if self.norm == "layer":
                x = x - jnp.mean(x, axis=-1, keepdims=True)
            return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * scale

        def slice_of(stack: Any, i: Any) -> Any:
            return jax.lax.dynamic_index_in_dim(stack, i, keepdims=False)

        def layer(i: Any, state: Any, w: dict[str, Any]) -> Any:
            x, collected = state
            at = {"i": i, "back": self.stack - 1 - i, "twice": 2 * i}[self.index]
            at = jnp.clip(at, 0, self.stack - 1) if self.index == "back" else at
            normed = norm(x, slice_of(w["gamma"], at))
            if self.collect:
                collected = jax.lax.dynamic_update_index_in_dim(collected, normed, i, 0)
            inner, outer = slice_of(w["inner"], at), slice_of(w["outer"], at)
            summed = jax.lax.psum(jnp.tanh(normed @ inner) @ outer, "tp")
            if self.parallel:
                summed = summed + jax.lax.psum(jnp.abs(normed @ inner) @ outer, "tp")
            return x + (norm(summed, slice_of(w["after"], at)) if self.post else summed), collected

        def run(w: dict[str, Any], rounds: Any) -> Any:
            def token(_: Any, state: Any) -> Any:
                x, collected = jax.lax.fori_loop(0, rounds, lambda i, inner: layer(i, inner, w), state)
                return x * 0.5, collected

            state = (w["x"], jnp.zeros((self.rounds + 1, self.rows, self.width), jnp.float32))
            if self.tokens:
                return jax.lax.fori_loop(0, self.tokens, token, state)
            return jax.lax.fori_loop(0, rounds, lambda i, inner: layer(i, inner, w), state)

        specs = {"x": P(), "gamma": P(), "after": P(), "inner": P(None, None, "tp"), "outer": P(None, "tp", None)}
        mapped = jax.jit(jax.shard_map(run, mesh=mesh, in_specs=(specs, P()), out_specs=(P(), P()), check_vma=False))
        weights = {name: jnp.asarray(array, jnp.float32) for name, array in self.weights().items()}
        with jax.default_matmul_precision("highest"):
            x, collected = mapped(weights, jnp.asarray(self.rounds, jnp.int32))
        return np.asarray(x, np.float64), np.asarray(collected, np.float64)


def _norm(kind: str, x: Array, scale: Array) -> Array:
    if kind == "layer":
        x = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * scale)
