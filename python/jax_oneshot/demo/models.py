# SPDX-License-Identifier: Apache-2.0
"""A tensor-parallel decoder in plain JAX, written as users write it, without any use of jax_oneshot.

A step takes one token per sequence and a KV cache, and returns the next token per sequence (greedy), its logits, and
the cache with one more position filled. A prefill does so for all tokens of a prompt at once. Three families of block,
chosen by `ModelConfig.family`:

    llama   x += attention(rms_norm(x));  x += silu_mlp(rms_norm(x))
    gemma2  x += rms_norm(attention(rms_norm(x)));  x += rms_norm(gelu_mlp(rms_norm(x)))
    gpt2    x += attention(layer_norm(x)) + bias;  x += gelu_mlp(layer_norm(x)) + bias

With `ModelConfig.experts` the MLP is a mixture of experts, with top-k routing.
Layers run in a Python loop, or in `jax.lax.scan` over stacked weights when `ModelConfig.scan` is set.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

Params = dict[str, Any]
LayerCache = tuple[jax.Array, jax.Array]  # keys and values
Cache = Any  # one LayerCache with stacked arrays when scanned, else a list of them

FAMILIES = ("llama", "gemma2", "gpt2")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Sizes of a decoder. Heads, key/value heads, `ffn` and `vocab` are sharded over the tensor-parallel devices.

    In a mixture of experts every device has all experts, with its shard of each expert's `ffn`; 0 experts: a plain MLP.

    With `shard_norms` the norms' weights are sharded too, as several JAX libraries do by default; the model is the
    same.

    The defaults suit 8 virtual CPU devices on a few cores: many thin layers, so that exchanges take as large a share of
    a step as on GPUs, where matrix products are fast.
    """

    family: str = "llama"
    scan: bool = False
    layers: int = 16
    hidden: int = 256
    ffn: int = 256
    heads: int = 8
    kv_heads: int = 8
    head_dim: int = 8
    vocab: int = 512
    batch: int = 8
    max_len: int = 64
    experts: int = 0
    experts_per_token: int = 2
    shard_norms: bool = False
    dtype: Any = jnp.bfloat16

    @property
    def name(self) -> str:
        """The variant's name: `llama-scan`."""
        kinds = {"moe": self.experts > 0, "scan": self.scan, "sharded": self.shard_norms}
        return "-".join([self.family, *(kind for kind, holds in kinds.items() if holds)])


def decode_step(
    config: ModelConfig, params: Params, cache: Cache, tokens: jax.Array, position: jax.Array
) -> tuple[jax.Array, jax.Array, Cache]:
    """One step of greedy decoding.

    Args:
      params: see `weights.init_params`.
      config: sizes and family.
      cache: keys and values, see `empty_cache`; the caller may donate it.
      tokens: int32[batch], the tokens just produced.
      position: int32[], their position in the sequence; 0 <= position < max_len.

    Returns:
      next tokens int32[batch], logits f32[batch, vocab], and the new cache.
    """
    x = _embed(config, params, tokens, position)
    x, cache = _layers(config, params["layers"], cache, x, position)
    return *_choose(config, params, x), cache


def prefill(config: ModelConfig, params: Params, cache: Cache, tokens: jax.Array) -> tuple[jax.Array, jax.Array, Cache]:
    """Processes whole prompts, from position 0 on.

    Args:
      params: see `weights.init_params`.
      config: sizes and family.
      cache: as for `decode_step`; empty.
      tokens: int32[batch, length], 1 <= length <= max_len.

    Returns:
      as `decode_step`, after the last token of each prompt.
    """
    positions = jnp.arange(tokens.shape[1])
    x = _embed(config, params, tokens, positions)
    x, cache = _layers(config, params["layers"], cache, x, positions)
    return *_choose(config, params, x[:, -1]), cache


def _embed(config: ModelConfig, params: Params, tokens: jax.Array, position: jax.Array) -> jax.Array:
    x: jax.Array = params["embedding"][tokens].astype(config.dtype)
    if config.family == "gemma2":
        x = x * jnp.sqrt(config.hidden).astype(config.dtype)
    return x + params["positions"][position] if config.family == "gpt2" else x


def _choose(config: ModelConfig, params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    x = _norm(config, params["final_norm"], x)
    logits = jnp.einsum("bd,vd->bv", x, params["head"], preferred_element_type=jnp.float32)
    if config.family == "gemma2":
        logits = 30.0 * jnp.tanh(logits / 30.0)
    return jnp.argmax(logits, axis=-1).astype(jnp.int32), logits


def empty_cache(config: ModelConfig) -> Cache:
    """Zeros: per layer a pair of config.dtype[batch, max_len, kv_heads, head_dim]; stacked over layers if scanned."""
    shape: tuple[int, ...] = (config.batch, config.max_len, config.kv_heads, config.head_dim)
    if config.scan:
        stacked = (config.layers, *shape)
        return jnp.zeros(stacked, config.dtype), jnp.zeros(stacked, config.dtype)
    return [(jnp.zeros(shape, config.dtype), jnp.zeros(shape, config.dtype)) for _ in range(config.layers)]


def _layers(
    config: ModelConfig, layers: Any, cache: Cache, x: jax.Array, position: jax.Array
) -> tuple[jax.Array, Cache]:
    if config.scan:

        def body(carry: jax.Array, scanned: tuple[Params, LayerCache]) -> tuple[jax.Array, LayerCache]:
            return _block(config, *scanned, carry, position)

        x, new_cache = jax.lax.scan(body, x, (layers, cache))
        return x, new_cache
    new_caches = []
    for layer, layer_cache in zip(layers, cache, strict=True):
        x, layer_cache = _block(config, layer, layer_cache, x, position)
        new_caches.append(layer_cache)
    return x, new_caches


def _block(
    config: ModelConfig, layer: Params, cache: LayerCache, x: jax.Array, position: jax.Array
) -> tuple[jax.Array, LayerCache]:
    h, cache = _attention(config, layer, cache, _norm(config, layer["norm_attention"], x), position)
    if config.family == "gemma2":
        h = _norm(config, layer["norm_after_attention"], h)
    x = x + h
    h = _norm(config, layer["norm_mlp"], x)
    h = _experts(config, layer, h) if config.experts else _mlp(config, layer, h)
    if config.family == "gemma2":
        h = _norm(config, layer["norm_after_mlp"], h)
    return x + h, cache


def _attention(
    config: ModelConfig, layer: Params, cache: LayerCache, x: jax.Array, position: jax.Array
) -> tuple[jax.Array, LayerCache]:
    """`x` is [batch, hidden] with one position, or [batch, length, hidden] with int32[length] of them."""
    q = jnp.einsum("...d,dnh->...nh", x, layer["wq"])
    k = jnp.einsum("...d,dkh->...kh", x, layer["wk"])
    v = jnp.einsum("...d,dkh->...kh", x, layer["wv"])
    if config.family == "gpt2":
        q, k, v = q + layer["bq"], k + layer["bk"], v + layer["bv"]
    else:
        q, k = _rope(q, position), _rope(k, position)
    prompt = x.ndim == 3
    start = (0, 0 if prompt else position, 0, 0)
    keys = jax.lax.dynamic_update_slice(cache[0], k if prompt else k[:, None], start)
    values = jax.lax.dynamic_update_slice(cache[1], v if prompt else v[:, None], start)
    attend = _attend_causally if prompt else _attend_to_cache
    mixed = attend(config, q, k if prompt else keys, v if prompt else values, position)
    out = jnp.einsum("...nh,nhd->...d", mixed, layer["wo"])
    return (out + layer["bo"] if config.family == "gpt2" else out), (keys, values)


def _attend_to_cache(
    config: ModelConfig, q: jax.Array, keys: jax.Array, values: jax.Array, position: jax.Array
) -> jax.Array:
    q = q.reshape(config.batch, config.kv_heads, config.heads // config.kv_heads, config.head_dim)
    scores = jnp.einsum("bkgh,bskh->bkgs", q, keys, preferred_element_type=jnp.float32)
    weights = _softmax(config, scores, jnp.arange(config.max_len) <= position)
    return jnp.einsum("bkgs,bskh->bkgh", weights, values).reshape(config.batch, config.heads, config.head_dim)


def _attend_causally(
    config: ModelConfig, q: jax.Array, keys: jax.Array, values: jax.Array, positions: jax.Array
) -> jax.Array:
    q = q.reshape(*q.shape[:2], config.kv_heads, config.heads // config.kv_heads, config.head_dim)
    scores = jnp.einsum("btkgh,bskh->bkgts", q, keys, preferred_element_type=jnp.float32)
    weights = _softmax(config, scores, positions[:, None] >= positions)
    mixed = jnp.einsum("bkgts,bskh->btkgh", weights, values)
    return mixed.reshape(*mixed.shape[:2], config.heads, config.head_dim)


def _softmax(config: ModelConfig, scores: jax.Array, seen: jax.Array) -> jax.Array:
    scores = scores * config.head_dim**-0.5
    if config.family == "gemma2":
        scores = 50.0 * jnp.tanh(scores / 50.0)
    return jax.nn.softmax(jnp.where(seen, scores, -1e30), axis=-1).astype(config.dtype)


def _mlp(config: ModelConfig, layer: Params, x: jax.Array) -> jax.Array:
    up = x @ layer["w_up"]
    if config.family == "gpt2":
        inner = jax.nn.gelu(up + layer["b_up"])
    elif config.family == "gemma2":
        inner = jax.nn.gelu(x @ layer["w_gate"]) * up
    else:
        inner = jax.nn.silu(x @ layer["w_gate"]) * up
    out: jax.Array = inner @ layer["w_down"]
    return out + layer["b_down"] if config.family == "gpt2" else out


def _experts(config: ModelConfig, layer: Params, x: jax.Array) -> jax.Array:
    scores = jnp.einsum("...d,de->...e", x, layer["router"], preferred_element_type=jnp.float32)
    best, chosen = jax.lax.top_k(scores, config.experts_per_token)
    shares = jax.nn.softmax(best, axis=-1)
    # At decode some token chooses nearly every expert, so all are computed; the weight of those not chosen is zero.
    share = jnp.sum(jax.nn.one_hot(chosen, config.experts, dtype=jnp.float32) * shares[..., None], axis=-2)
    gate = jnp.einsum("...d,edf->...ef", x, layer["experts_gate"])
    up = jnp.einsum("...d,edf->...ef", x, layer["experts_up"])
    inner = jax.nn.silu(gate) * up * share[..., None].astype(x.dtype)
    return jnp.einsum("...ef,efd->...d", inner, layer["experts_down"])


def _norm(config: ModelConfig, weights: Params, x: jax.Array) -> jax.Array:
    scale: jax.Array = weights["scale"]
    wide = x.astype(jnp.float32)
    if config.family == "gpt2":
        wide = wide - jnp.mean(wide, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        return (wide * jax.lax.rsqrt(variance + 1e-5) * scale + weights["bias"]).astype(x.dtype)
    scaled = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + 1e-6)
    if config.family == "gemma2":
        return (scaled * (1.0 + scale)).astype(x.dtype)
    return scaled.astype(x.dtype) * scale


def _rope(x: jax.Array, position: jax.Array) -> jax.Array:
    half = x.shape[-1] // 2
    # One position for all tokens, or one for each, which all heads share.
    position = position.astype(jnp.float32) if position.ndim == 0 else position.astype(jnp.float32)[:, None, None]
    angle = position * 10000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)
