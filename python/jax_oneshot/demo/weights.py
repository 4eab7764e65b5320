# SPDX-License-Identifier: Apache-2.0
"""Random weights of the demo's decoder and their shardings.

Parameters are created on the host (`init_params`: numpy, reproducible on every machine) or on the devices
(`init_on_devices`: for models too large for the host). Shardings follow Megatron: the columns of the first matrix of a
pair and the rows of the second are sharded over the mesh axis "tp".
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_oneshot.demo.models import ModelConfig, Params

_TP = "tp"
# The sharded dimension, by parameter name; every other parameter is replicated.
_SPLIT_DIMENSION = {
    "embedding": 0, "head": 0,
    "wq": 1, "wk": 1, "wv": 1, "bq": 0, "bk": 0, "bv": 0, "wo": 0,
    "w_gate": 1, "w_up": 1, "b_up": 0, "w_down": 0,
    "experts_gate": 2, "experts_up": 2, "experts_down": 1,
}  # fmt: skip


def param_shapes(config: ModelConfig) -> Params:
    """Shapes by name; `layers` has those of one layer."""
    d, ffn, vocab = config.hidden, config.ffn, config.vocab
    query, key = (config.heads, config.head_dim), (config.kv_heads, config.head_dim)
    layer: Params = {
        "wq": (d, *query), "wk": (d, *key), "wv": (d, *key), "wo": (*query, d),
        "norm_attention": _norm_shapes(config), "norm_mlp": _norm_shapes(config),
    }  # fmt: skip
    top: Params = {"embedding": (vocab, d), "head": (vocab, d), "final_norm": _norm_shapes(config)}
    if config.experts:
        inner, outer = (config.experts, d, ffn), (config.experts, ffn, d)
        layer |= {"router": (d, config.experts), "experts_gate": inner, "experts_up": inner, "experts_down": outer}
    else:
        layer |= {"w_up": (d, ffn), "w_down": (ffn, d)}
    if config.family == "gpt2":
        layer |= {"bq": query, "bk": key, "bv": key, "bo": (d,), "b_up": (ffn,), "b_down": (d,)}
        top["positions"] = (config.max_len, d)
    elif not config.experts:
        layer["w_gate"] = (d, ffn)
    if config.family == "gemma2":
        layer |= {"norm_after_attention": _norm_shapes(config), "norm_after_mlp": _norm_shapes(config)}
    return top | {"layers": layer}


def abstract_params(config: ModelConfig, mesh: Mesh) -> Params:
    """ShapeDtypeStructs with shardings, to compile for without any weights."""
    shapes = param_shapes(config)
    stacked = _map(shapes.pop("layers"), lambda name, shape: _abstract(config, mesh, name, shape, config.scan))
    top = _map(shapes, lambda name, shape: _abstract(config, mesh, name, shape, False))
    return top | {"layers": stacked if config.scan else [stacked] * config.layers}


def init_params(config: ModelConfig, seed: int) -> Params:
    """Random bf16 weights on the host, shaped as `param_shapes` says; layers are stacked if `scan`, else a list.

    Matrices are normal with variance 1/fan-in; the last of each branch, and the scale of a post-norm, are smaller by
    sqrt(2 * layers), as in GPT-2's initialisation, so that the residual does not grow with depth. The head is the
    embedding rolled by one token, so the successor of the last token has a clear lead, like the best token of a trained
    model: with an independent random head the two best logits are often closer than one bf16 rounding, and equal tokens
    would be luck.
    """
    rng = np.random.default_rng(seed)
    shapes = param_shapes(config)
    layer_shapes = shapes.pop("layers")
    top = _map(shapes, lambda name, shape: _random(config, rng, name, shape))
    top["head"] = np.roll(top["embedding"], 1, axis=0)
    layers = [_map(layer_shapes, lambda name, shape: _random(config, rng, name, shape)) for _ in range(config.layers)]
    if config.scan:
        return top | {"layers": jax.tree.map(lambda *one: np.stack(one), *layers)}
    return top | {"layers": layers}


def init_on_devices(config: ModelConfig, mesh: Mesh, seed: int, *, roll_head: bool = True) -> Params:
    """Weights of the same distribution and structure, in config.dtype, created on the devices.

    One function is jitted per shape and sharding.

    Args:
      config: the model.
      mesh: where the parameters are placed.
      seed: of the first parameter; the next ones have those after it.
      roll_head: whether the head is the embedding rolled by one token (see `init_params`), or a parameter of its own.
    """
    shapes = param_shapes(config)
    layer_shapes = shapes.pop("layers")
    seeds = itertools.count(seed)

    def make(path: str, shape: tuple[int, ...], stack: bool = False) -> jax.Array:
        like = _abstract(config, mesh, path, shape, stack)
        mean, deviation = _distribution(config, path, shape)
        return _noise(like.shape, like.sharding, config.dtype)(next(seeds), mean, deviation)

    top = _map(shapes, make)
    if roll_head:
        top["head"] = jax.jit(lambda table: jnp.roll(table, 1, axis=0), out_shardings=top["head"].sharding)(
            top["embedding"]
        )
    if config.scan:
        return top | {"layers": _map(layer_shapes, lambda path, shape: make(path, shape, stack=True))}
    return top | {"layers": [_map(layer_shapes, make) for _ in range(config.layers)]}


@functools.cache
def _noise(shape: tuple[int, ...], sharding: NamedSharding, dtype: Any) -> Callable[..., jax.Array]:
    def noise(seed: int, mean: float, deviation: float) -> jax.Array:
        return (mean + deviation * jax.random.normal(jax.random.key(seed), shape, jnp.float32)).astype(dtype)

    return jax.jit(noise, out_shardings=sharding)


def place(tree: Any, like: Any) -> Any:
    """Puts host arrays on devices with the shardings of `like`."""
    return jax.tree.map(lambda value, target: jax.device_put(value, target.sharding), tree, like)


def abstract_cache(config: ModelConfig, mesh: Mesh) -> Any:
    """The KV cache's ShapeDtypeStructs, sharded by key/value head."""
    shape: tuple[int, ...] = (config.batch, config.max_len, config.kv_heads, config.head_dim)
    spec: tuple[str | None, ...] = (None, None, _TP)
    if config.scan:
        shape, spec = (config.layers, *shape), (None, *spec)
    one = _placed(mesh, spec, shape, config.dtype)
    return (one, one) if config.scan else [(one, one)] * config.layers


def replicated(mesh: Mesh, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    """A ShapeDtypeStruct of an array that is replicated on every device."""
    return _placed(mesh, (), shape, dtype)


def _placed(mesh: Mesh, spec: Sequence[str | None], shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    sharding = NamedSharding(mesh, PartitionSpec(*spec))
    return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)


def _norm_shapes(config: ModelConfig) -> Params:
    scale = {"scale": (config.hidden,)}
    return scale | {"bias": (config.hidden,)} if config.family == "gpt2" else scale


def _map(tree: Params, leaf: Callable[[str, tuple[int, ...]], Any], path: str = "") -> Params:
    return {
        name: _map(value, leaf, f"{path}{name}/") if isinstance(value, dict) else leaf(path + name, value)
        for name, value in tree.items()
    }


def _abstract(config: ModelConfig, mesh: Mesh, name: str, shape: tuple[int, ...], stack: bool) -> jax.ShapeDtypeStruct:
    split = 0 if config.shard_norms and "norm" in name else _SPLIT_DIMENSION.get(name)
    spec = [_TP if dimension == split else None for dimension in range(len(shape))]
    if stack:
        shape, spec = (config.layers, *shape), [None, *spec]
    return _placed(mesh, spec, shape, config.dtype)


def _random(config: ModelConfig, rng: np.random.Generator, path: str, shape: tuple[int, ...]) -> np.ndarray:
    mean, deviation = _distribution(config, path, shape)
    return (mean + deviation * rng.standard_normal(shape, dtype=np.float32)).astype(jnp.bfloat16)


def _distribution(config: ModelConfig, path: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """(mean, standard deviation). `path` is the parameter's name, after its norm's if it has one: `norm_mlp/scale`."""
    norm, _, name = path.rpartition("/")
    branch = (2 * config.layers) ** -0.5
    if name == "scale":
        # gemma2 adds one to every scale.
        gain = branch if norm.startswith("norm_after") else 1.0
        return gain - (config.family == "gemma2"), 0.1 * gain
    if len(shape) == 1 or name in ("bq", "bk", "bv"):
        return 0.0, 0.1 * (branch if name in ("bo", "b_down") else 1.0)
    if name in ("embedding", "positions"):
        # gemma2 multiplies by sqrt(hidden) after the look-up.
        return 0.0, config.hidden**-0.5 if config.family == "gemma2" else 1.0
    # wo contracts heads and head_dim; an expert's weight is one matrix per expert.
    fan_in = int(np.prod(shape[:-1])) if name == "wo" else shape[-2]
    if name in ("wq", "wk", "wv"):
        fan_in = shape[0]
    return 0.0, fan_in**-0.5 * (branch if name in ("wo", "w_down", "experts_down") else 1.0)
