"""One process of a tensor-parallel decode: one rank, on the first GPU it sees (or on CPU devices, as a reference).

In:  argv: a JSON object, see `Job`. Whether JAX_ONESHOT is set is up to the environment.
Out: the job's `save` file (npz: tokens, logits, step_ms, facts as JSON), written by rank 0.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax_oneshot.demo import models, weights

SHUTDOWN_S = 2  # how long a process that ends waits for the others; JAX's default is 5 minutes


@dataclasses.dataclass(frozen=True)
class Job:
    """What one process does.

    Attributes:
      ranks: processes that take part, one GPU rank each; on CPU one process has them all.
      rank: which of them this is.
      coordinator: address for `jax.distributed`; empty: this process has all devices.
      model: fields of `ModelConfig`.
      steps: tokens to decode.
      save: file for rank 0's results.
      die_at: this rank leaves, without a word, before this step; -1: it stays.
    """

    ranks: int
    rank: int
    coordinator: str
    model: dict[str, Any]
    steps: int
    save: str
    die_at: int = -1


def main() -> None:
    """Runs the job of argv."""
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
    tokens, logits, step_ms = decode(job, config, mesh)
    if job.rank == 0:
        facts = json.dumps({"jax": jax.__version__, "device": jax.devices()[0].device_kind})
        np.savez(job.save, tokens=tokens, logits=logits, step_ms=step_ms, facts=facts)


def decode(job: Job, config: models.ModelConfig, mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(tokens, logits, milliseconds) of every step."""
    whole = NamedSharding(mesh, PartitionSpec())
    abstract = weights.abstract_params(config, mesh), weights.abstract_cache(config, mesh)
    params = place(weights.init_params(config, 0), abstract[0])
    cache = place(jax.tree.map(np.asarray, models.empty_cache(config)), abstract[1])
    tokens = place(first_tokens(config), weights.replicated(mesh, (config.batch,), jnp.int32))
    cache_shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract[1])

    def step(params: Any, cache: Any, tokens: jax.Array, position: jax.Array) -> Any:
        return models.decode_step(config, params, cache, tokens, position)

    jitted = jax.jit(step, donate_argnums=(1,), out_shardings=(whole, whole, cache_shardings))
    results: list[tuple[np.ndarray, np.ndarray]] = []
    times: list[float] = []
    for position in range(job.steps):
        if position == job.die_at:
            os._exit(0)
        start = time.perf_counter()
        at = place(np.int32(position), weights.replicated(mesh, (), jnp.int32))
        tokens, logits, cache = jitted(params, cache, tokens, at)
        tokens.block_until_ready()
        times.append((time.perf_counter() - start) * 1e3)
        results.append((local(tokens), local(logits)))
    return np.stack([one[0] for one in results]), np.stack([one[1] for one in results]), np.array(times)


def first_tokens(config: models.ModelConfig) -> np.ndarray:
    """The same on every rank."""
    return np.random.default_rng(0).integers(0, config.vocab, config.batch, dtype=np.int32)


def place(tree: Any, like: Any) -> Any:
    """Host arrays, of which every process has the whole, laid out as `like` says."""

    def put(value: Any, target: Any) -> jax.Array:
        return jax.make_array_from_callback(np.shape(value), target.sharding, lambda index: np.asarray(value)[index])

    return jax.tree.map(put, tree, like)


def local(array: jax.Array) -> np.ndarray:
    """The value of an array that every device has whole."""
    return np.asarray(array.addressable_data(0))


if __name__ == "__main__":
    main()
