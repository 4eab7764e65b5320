"""Random weights of the demo's decoder and how they lie on a mesh.

In:  a ModelConfig and a seed. Out: parameters (bf16, numpy on the host), and the PartitionSpec of each: Megatron's
layout, columns of the first matrix of a pair and rows of the second split over the mesh axis "tp".
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_oneshot.demo.models import ModelConfig, Params

_TP = "tp"
# By parameter name: which dimension is split; every other parameter is whole on every device.
_SPLIT_DIMENSION = {
    "embedding": 0, "head": 0,
    "wq": 1, "wk": 1, "wv": 1, "bq": 0, "bk": 0, "bv": 0, "wo": 0,
    "w_gate": 1, "w_up": 1, "b_up": 0, "w_down": 0,
}  # fmt: skip


def param_shapes(config: ModelConfig) -> Params:
    """Shapes by name; `layers` holds one layer's."""
    d, ffn, vocab = config.hidden, config.ffn, config.vocab
    query, key = (config.heads, config.head_dim), (config.kv_heads, config.head_dim)
    layer: Params = {
        "wq": (d, *query), "wk": (d, *key), "wv": (d, *key), "wo": (*query, d), "w_up": (d, ffn), "w_down": (ffn, d),
        "norm_attention": _norm_shapes(config), "norm_mlp": _norm_shapes(config),
    }  # fmt: skip
    top: Params = {"embedding": (vocab, d), "head": (vocab, d), "final_norm": _norm_shapes(config)}
    if config.family == "gpt2":
        layer |= {"bq": query, "bk": key, "bv": key, "bo": (d,), "b_up": (ffn,), "b_down": (d,)}
        top["positions"] = (config.max_len, d)
    else:
        layer["w_gate"] = (d, ffn)
    if config.family == "gemma2":
        layer |= {"norm_after_attention": _norm_shapes(config), "norm_after_mlp": _norm_shapes(config)}
    return top | {"layers": layer}


def abstract_params(config: ModelConfig, mesh: Mesh) -> Params:
    """ShapeDtypeStructs with shardings: all a compiler needs."""
    shapes = param_shapes(config)
    stacked = _map(shapes.pop("layers"), lambda name, shape: _abstract(config, mesh, name, shape, config.scan))
    top = _map(shapes, lambda name, shape: _abstract(config, mesh, name, shape, False))
    return top | {"layers": stacked if config.scan else [stacked] * config.layers}


def init_params(config: ModelConfig, seed: int) -> Params:
    """Random weights on the host.

    Matrices are normal with variance 1/fan-in; the last of each branch, and what a post-norm gives, is smaller by
    sqrt(2 * layers), as GPT-2 starts, so that the residual does not grow with depth. The head is the embedding turned
    by one token, so the token after the last one read stands out, as the best token does in a trained model: with an
    independent random head the two best logits are often closer than one bf16 rounding, and equal tokens would be
    luck.
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


def place(tree: Any, like: Any) -> Any:
    """Puts host arrays on the devices the shardings of `like` name."""
    return jax.tree.map(lambda value, target: jax.device_put(value, target.sharding), tree, like)


def abstract_cache(config: ModelConfig, mesh: Mesh) -> Any:
    """The KV cache's ShapeDtypeStructs: split by key/value head."""
    shape: tuple[int, ...] = (config.batch, config.max_len, config.kv_heads, config.head_dim)
    spec: tuple[str | None, ...] = (None, None, _TP)
    if config.scan:
        shape, spec = (config.layers, *shape), (None, *spec)
    one = _placed(mesh, spec, shape, config.dtype)
    return (one, one) if config.scan else [(one, one)] * config.layers


def replicated(mesh: Mesh, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    """An array that is whole on every device."""
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
    """`path` is the parameter's name, with its norm's in front: `norm_mlp/scale`."""
    norm, _, name = path.rpartition("/")
    noise = rng.standard_normal(shape, dtype=np.float32)
    branch = (2 * config.layers) ** -0.5
    if name == "scale":
        # gemma2 adds one to every scale.
        gain = branch if norm.startswith("norm_after") else 1.0
        value = gain * (1.0 + 0.1 * noise) - (config.family == "gemma2")
    elif len(shape) == 1 or name in ("bq", "bk", "bv"):
        value = 0.1 * noise * (branch if name in ("bo", "b_down") else 1.0)
    elif name in ("embedding", "positions"):
        # gemma2 multiplies by sqrt(hidden) after the look-up.
        value = noise * (config.hidden**-0.5 if config.family == "gemma2" else 1.0)
    else:
        fan_in = int(np.prod(shape[:-1])) if name == "wo" else shape[0]
        value = noise * fan_in**-0.5 * (branch if name in ("wo", "w_down") else 1.0)
    return value.astype(jnp.bfloat16)
