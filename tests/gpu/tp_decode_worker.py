# SPDX-License-Identifier: Apache-2.0
"""One process of a tensor-parallel decode: one rank, on the first GPU it sees (or on CPU devices, as a reference).

argv[1] is a `Job` as JSON; JAX_ONESHOT comes from the environment. Rank 0 writes the job's `save` file (npz: tokens,
logits, step_ms, ahead_ms, facts as JSON).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax_oneshot.demo import models, weights

AHEAD_ROUNDS = 8  # each of as many steps as are decoded
SHUTDOWN_S = 2  # how long a process waits for the others at exit; JAX's default is 5 minutes


@dataclasses.dataclass(frozen=True)
class Job:
    """The task of one process.

    Attributes:
      ranks: number of ranks, one process each; on CPU one process has them all.
      rank: which of them this is.
      coordinator: address for `jax.distributed`; empty: this process has all devices.
      model: fields of `ModelConfig`.
      steps: tokens to decode.
      save: file for rank 0's results.
      die_at: this rank exits, without an error, before this step; -1: never.
    """

    ranks: int
    rank: int
    coordinator: str
    model: dict[str, Any]
    steps: int
    save: str
    die_at: int = -1


def main() -> None:
    """Runs the job in argv[1]."""
    job = Job(**json.loads(sys.argv[1]))
    if job.coordinator:
        jax.distributed.initialize(
            job.coordinator,
            job.ranks,
            job.rank,
            local_device_ids=[0],
            shutdown_timeout_seconds=SHUTDOWN_S,
        )
    config = models.ModelConfig(**job.model)
    mesh = Mesh(np.array(jax.devices()), ("tp",))
    assert mesh.size == job.ranks, f"{mesh.size} devices for {job.ranks} ranks"
    decoder = Decoder.start(config, mesh, job.steps)
    tokens, logits, step_ms = decoder.decode(job.die_at)
    ahead_ms = decoder.run_ahead()
    if job.rank == 0:
        facts = json.dumps({"jax": jax.__version__, "device": jax.devices()[0].device_kind})
        np.savez(job.save, tokens=tokens, logits=logits, step_ms=step_ms, ahead_ms=ahead_ms, facts=facts)


@dataclasses.dataclass
class Decoder:
    """A model on its devices, and the state of its decoding.

    Attributes:
      step: (params, cache, tokens, position) -> (tokens, logits, cache), compiled at its first call.
      params: weights, sharded over the mesh.
      cache: keys and values; each step takes it and returns a new one.
      tokens: int32[batch], the last ones decoded.
      positions: int32[] on the devices, one per step.
    """

    step: Callable[..., Any]
    params: Any
    cache: Any
    tokens: jax.Array
    positions: list[jax.Array]

    @classmethod
    def start(cls, config: models.ModelConfig, mesh: Mesh, steps: int) -> Decoder:
        """Creates weights, cache and first tokens on the mesh."""
        whole = NamedSharding(mesh, PartitionSpec())
        abstract = weights.abstract_params(config, mesh), weights.abstract_cache(config, mesh)
        cache_shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract[1])

        def step(params: Any, cache: Any, tokens: jax.Array, position: jax.Array) -> Any:
            return models.decode_step(config, params, cache, tokens, position)

        scalar = weights.replicated(mesh, (), jnp.int32)
        return cls(
            jax.jit(step, donate_argnums=(1,), out_shardings=(whole, whole, cache_shardings)),
            place(weights.init_params(config, 0), abstract[0]),
            place(jax.tree.map(np.asarray, models.empty_cache(config)), abstract[1]),
            place(first_tokens(config), weights.replicated(mesh, (config.batch,), jnp.int32)),
            [place(np.int32(position), scalar) for position in range(steps)],
        )

    def decode(self, die_at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(tokens, logits, milliseconds) of every step, waiting for each before the next one is launched."""
        results: list[tuple[np.ndarray, np.ndarray]] = []
        times: list[float] = []
        for number, position in enumerate(self.positions):
            if number == die_at:
                os._exit(0)
            start = time.perf_counter()
            logits = self._launch(position)
            self.tokens.block_until_ready()
            times.append((time.perf_counter() - start) * 1e3)
            results.append((local(self.tokens), local(logits)))
        return np.stack([one[0] for one in results]), np.stack([one[1] for one in results]), np.array(times)

    def run_ahead(self) -> np.ndarray:
        """Milliseconds per step of every round, in which steps are launched without waiting for the one before."""
        times = []
        for _ in range(AHEAD_ROUNDS):
            start = time.perf_counter()
            for position in self.positions:
                self._launch(position)
            self.tokens.block_until_ready()
            times.append((time.perf_counter() - start) * 1e3 / len(self.positions))
        return np.array(times)

    def _launch(self, position: jax.Array) -> jax.Array:
        self.tokens, logits, self.cache = self.step(self.params, self.cache, self.tokens, position)
        return logits


def first_tokens(config: models.ModelConfig) -> np.ndarray:
    """Random tokens, equal on every rank."""
    return np.random.default_rng(0).integers(0, config.vocab, config.batch, dtype=np.int32)


def place(tree: Any, like: Any) -> Any:
    """Puts host arrays, which every process has in full, on devices with the shardings of `like`."""

    def put(value: Any, target: Any) -> jax.Array:
        return jax.make_array_from_callback(np.shape(value), target.sharding, lambda index: np.asarray(value)[index])

    return jax.tree.map(put, tree, like)


def local(array: jax.Array) -> np.ndarray:
    """The value of a replicated array."""
    return np.asarray(array.addressable_data(0))


if __name__ == "__main__":
    main()
