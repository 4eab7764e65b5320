# SPDX-License-Identifier: Apache-2.0
"""Compiles programs (a training step, decode steps) for 8 H100s without a GPU, and counts instructions.

Prints, as JSON, by program: collectives, one-shot calls, copies and kernels in the final text of XLA's GPU compiler.
JAX_ONESHOT in the environment says whether the pass is on.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jax_oneshot.demo import gpu_compile

LAYERS = 24
CALL = 'custom_call_target="jax_oneshot'
COLLECTIVE = re.compile(r" (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(-start)?\(")
KERNEL = re.compile(r" (fusion|custom-call|reduce|sort|scatter|copy|dynamic-update-slice)\(")


def counts(text: str) -> dict[str, int]:
    calls = text.count(CALL)
    collectives = len(COLLECTIVE.findall(text))
    return {
        "collectives": collectives + calls,
        "calls": calls,
        "copies": len(re.findall(r" copy(-start)?\(", text)),
        "kernels": len(KERNEL.findall(text)) + collectives,
    }


def array(mesh: Mesh, shape: tuple[int, ...], *axes: str | None, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, P(*axes)))


def training_step(mesh: Mesh) -> Any:
    """Data-parallel: gradients of 24 layers, momentum, donated state."""
    params = [(array(mesh, (48, 48)), array(mesh, (48,))) for _ in range(LAYERS)]

    def loss(params: Any, x: Any) -> Any:
        y = x
        for w, b in params:
            y = jnp.tanh(y @ w + b)
        return jnp.mean((y - x) ** 2)

    def step(params: Any, momentum: Any, x: Any) -> Any:
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, jax.grad(loss)(params, x))
        return jax.tree.map(lambda p, m: p - 1e-3 * m, params, momentum), momentum

    return jax.jit(step, donate_argnums=(0, 1)).lower(params, params, array(mesh, (1024, 48), "tp"))


def norm(x: Any, weight: Any) -> Any:
    return x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * weight


def block(x: Any, layer: Any) -> Any:
    weight, up, down = layer
    return x + jax.nn.silu(norm(x, weight) @ up) @ down


def layers(mesh: Mesh, stacked: bool) -> Any:
    if stacked:
        shapes = [((4, 256), (None, None)), ((4, 256, 1024), (None, None, "tp")), ((4, 1024, 256), (None, "tp", None))]
        return tuple(array(mesh, shape, *axes) for shape, axes in shapes)
    one = (array(mesh, (256,)), array(mesh, (256, 1024), None, "tp"), array(mesh, (1024, 256), "tp", None))
    return [one] * 4


def decode_step(mesh: Mesh) -> Any:
    """Tensor-parallel: a residual stream and a cache, both donated and updated."""

    def step(x: Any, cache: Any, at: Any, params: Any) -> Any:
        for layer in params:
            x = block(x, layer)
        return x, lax.dynamic_update_slice(cache, x[None], (at, 0, 0))

    arguments = (array(mesh, (8, 256)), array(mesh, (64, 8, 256)), array(mesh, (), dtype=jnp.int32))
    return jax.jit(step, donate_argnums=(0, 1)).lower(*arguments, layers(mesh, stacked=False))


def scanned_layers(mesh: Mesh) -> Any:
    def step(x: Any, params: Any) -> Any:
        return lax.scan(lambda x, layer: (block(x, layer), None), x, params)[0]

    return jax.jit(step, donate_argnums=0).lower(array(mesh, (8, 256)), layers(mesh, stacked=True))


PROGRAMS: dict[str, Callable[[Mesh], Any]] = {
    "training step": training_step,
    "decode step": decode_step,
    "scanned layers": scanned_layers,
}


def main() -> None:
    mesh = Mesh(np.array(gpu_compile.topology_devices()), ("tp",))
    json.dump({name: counts(lower(mesh).compile().as_text()) for name, lower in PROGRAMS.items()}, sys.stdout)


if __name__ == "__main__":
    main()
