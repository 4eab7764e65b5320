# SPDX-License-Identifier: Apache-2.0
"""A process of the CPU benchmark: a long chain of all-reduce, residual add and RMSNorm on 8 virtual CPU devices.

stdin:  requests, one JSON object per line: {"rows": 8, "width": 4096, "calls": 3}
stdout: an answer to each: {"us": [...], "one_shot_calls": 1}: microseconds per link of the chain, one value per call,
        and the number of one-shot calls in the program. One more answer, sent before any request, says that JAX is up;
        the first request for a shape compiles it and makes warm-up calls.

The benchmark's two processes differ only in JAX_ONESHOT.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_oneshot.plugin import CALL_TARGET

LINKS = 64
_WARM_UP_CALLS = 3
_AXIS = "tp"


def chain(partial: jax.Array, residual: jax.Array, gamma: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The tail of a decoder block, repeated LINKS times, on one device's values.

    Args:
      partial: bf16[1, rows, width], this device's addend of the first all-reduce.
      residual: bf16[rows, width].
      gamma: bf16[width].

    Returns:
      The last residual and the last norm, both bf16[1, rows, width].
    """

    def link(_: Any, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        residual, addend = carry
        residual = residual + jax.lax.psum(addend, _AXIS)
        wide = residual.astype(jnp.float32)
        scale = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-5)
        return residual, (wide * scale).astype(jnp.bfloat16) * gamma

    residual, normed = jax.lax.fori_loop(0, LINKS, link, (residual, partial[0]))
    return residual[None], normed[None]


@functools.cache
def _compiled(rows: int, width: int) -> tuple[Callable[[], None], int]:
    """(runs the chain once, number of one-shot calls in its program)."""
    mesh = Mesh(np.array(jax.devices()), (_AXIS,))
    random = np.random.default_rng(0)

    def place(shape: tuple[int, ...], *spec: str) -> jax.Array:
        values = random.standard_normal(shape, dtype=np.float32).astype(jnp.bfloat16)
        return jax.device_put(values, NamedSharding(mesh, PartitionSpec(*spec)))

    split, whole = PartitionSpec(_AXIS), PartitionSpec()
    mapped = jax.shard_map(chain, mesh=mesh, in_specs=(split, whole, whole), out_specs=(split, split), check_vma=False)
    arguments = place((mesh.size, rows, width), _AXIS), place((rows, width)), place((width,))
    step = jax.jit(mapped).lower(*arguments).compile()

    def call() -> None:
        jax.block_until_ready(step(*arguments))

    for _ in range(_WARM_UP_CALLS):
        call()
    return call, (step.as_text() or "").count(f'custom_call_target="{CALL_TARGET}"')


def _microseconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e6 / LINKS


def main() -> None:
    """Answers requests until stdin ends."""
    jax.devices()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        call, one_shot_calls = _compiled(request["rows"], request["width"])
        times = [_microseconds(call) for _ in range(request["calls"])]
        print(json.dumps({"us": times, "one_shot_calls": one_shot_calls}), flush=True)


if __name__ == "__main__":
    main()
