# SPDX-License-Identifier: Apache-2.0
"""The PyPI package `gemma` as a test model, unmodified: 4 layers, with Megatron's sharding applied from outside.

Arguments: "serve" or "gpu", then "gemma2" or "gemma3", then optionally "shard-norms" to shard the norms' scales too.

    serve  answers requests as jax_oneshot.demo.decode does (small widths, random weights, 8 CPU devices)
    gpu    compiles one decoding step at real widths for 8 H100s from abstract weights, and prints the seconds
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gemma import gm
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax_oneshot.demo import decode, gpu_compile

BATCH = 8
LAYERS = 4
CACHE_LENGTH = 64
MODELS = {"gemma2": gm.nn.Gemma2_9B, "gemma3": gm.nn.Gemma3_12B}
SMALL_WIDTHS = {
    "embed_dim": 256, "hidden_dim": 512, "num_heads": 16, "num_kv_heads": 8, "head_dim": 16, "num_embed": 1024
}  # fmt: skip
# By the end of a parameter's path: the dimension sharded over the 8 devices. All other parameters are replicated.
SPLIT_DIMENSION = {"input_embedding": 0, "q_einsum/w": 0, "kv_einsum/w": 1, "attn_vec_einsum/w": 0, "linear": 0}


def make_model(name: str, **widths: int) -> Any:
    """The model class as published, with fewer layers and without the vision encoder."""
    published = MODELS[name].config
    layers = published.attention_types[:LAYERS]
    config = dataclasses.replace(published, attention_types=layers, vision_encoder=None, **widths)
    return MODELS[name](config=config)


def jit_step(model: Any) -> Any:
    """Jitted greedy step: (params, cache, tokens int32[8], position) -> (tokens, logits, cache)."""

    def step(params: Any, cache: Any, tokens: jax.Array, position: jax.Array) -> Any:
        positions = jnp.broadcast_to(position, (BATCH, 1))
        seen = jnp.broadcast_to(jnp.arange(CACHE_LENGTH) <= position, (BATCH, 1, CACHE_LENGTH))
        out = model.apply(
            params,
            tokens[:, None],
            positions=positions,
            cache=cache,
            attention_mask=seen,
            return_last_only=True,
        )
        return jnp.argmax(out.logits, axis=-1).astype(jnp.int32), out.logits.astype(jnp.float32), out.cache

    return jax.jit(step, donate_argnums=(1,))


def abstract_arguments(model: Any, mesh: Mesh, shard_norms: bool) -> tuple[Any, ...]:
    """(params, cache, tokens, position) as ShapeDtypeStructs on `mesh`."""
    params = jax.eval_shape(functools.partial(_init, model), jax.random.key(0))
    cache = jax.eval_shape(functools.partial(model.config.init_cache, BATCH, jnp.bfloat16, cache_length=CACHE_LENGTH))
    gating = 1 if model.config.transpose_gating_einsum else 2

    def weight(path: Any, leaf: Any) -> Any:
        name = "/".join(part.key for part in path)
        split = {**SPLIT_DIMENSION, "gating_einsum": gating}
        if shard_norms and leaf.shape == (model.config.embed_dim,):  # not the per-head norms of queries and keys
            split["scale"] = 0
        return _split(mesh, leaf, next((split[end] for end in split if name.endswith(end)), None))

    return (
        jax.tree_util.tree_map_with_path(weight, params),
        jax.tree.map(lambda leaf: _split(mesh, leaf, 2 if leaf.ndim == 4 else None), cache),
        _split(mesh, jax.ShapeDtypeStruct((BATCH,), jnp.int32), None),
        _split(mesh, jax.ShapeDtypeStruct((), jnp.int32), None),
    )


def build(name: str, shard_norms: bool, seed: int = 0) -> decode.Decoder:
    """The small model on the CPU devices."""
    model = make_model(name, **SMALL_WIDTHS)
    mesh = Mesh(np.array(jax.devices()), ("tp",))
    params, cache, tokens, position = abstract_arguments(model, mesh, shard_norms)
    step = jit_step(model).lower(params, cache, tokens, position).compile()
    weights = jax.tree_util.tree_map_with_path(functools.partial(_random, np.random.default_rng(seed)), params)
    first = np.random.default_rng(seed).integers(1, SMALL_WIDTHS["num_embed"], BATCH, dtype=np.int32)
    return decode.Decoder(
        step=functools.partial(step, weights),
        empty_cache=lambda: jax.tree.map(
            lambda leaf: jax.device_put(np.zeros(leaf.shape, leaf.dtype), leaf.sharding), cache
        ),
        first_tokens=jax.device_put(first, tokens.sharding),
        max_len=CACHE_LENGTH,
    )


def compile_for_gpus(name: str, shard_norms: bool) -> None:
    """Compiles the model at its real widths for 8 abstract H100s."""
    model = make_model(name)
    mesh = Mesh(np.array(gpu_compile.topology_devices()), ("tp",))
    gpu_compile.print_compile_seconds(jit_step(model), abstract_arguments(model, mesh, shard_norms))


def _init(model: Any, key: jax.Array) -> Any:
    return model.init(key, jnp.zeros((BATCH, 1), jnp.int32))


def _split(mesh: Mesh, leaf: Any, dimension: int | None) -> Any:
    spec = [] if dimension is None else [*[None] * dimension, "tp"]
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, PartitionSpec(*spec)))


def _random(random: np.random.Generator, path: Any, leaf: Any) -> jax.Array:
    """Norm scales near their initial value; other weights so small that the tied embedding dominates the logits."""
    name = path[-1].key
    spread = 0.1 if name == "scale" else 0.02 if name != "input_embedding" else leaf.shape[-1] ** -0.5
    noise = spread * random.standard_normal(leaf.shape, dtype=np.float32)
    if name == "scale" and path[-2].key.startswith("post_"):
        noise -= 0.6  # as in trained models, a layer adds less to the residual than the norm's unit variance
    return jax.device_put(noise.astype(leaf.dtype), leaf.sharding)


if __name__ == "__main__":
    what, which, *flags = sys.argv[1:]
    sharded = flags == ["shard-norms"]
    if what == "gpu":
        compile_for_gpus(which, sharded)
    else:
        decode.serve(functools.partial(build, which, sharded), sys.stdin, sys.stdout)
