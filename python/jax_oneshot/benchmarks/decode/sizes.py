# SPDX-License-Identifier: Apache-2.0
"""The models of `bench decode`: full sizes, and tiny ones with the same structure for CPU devices."""

from __future__ import annotations

from typing import Any

# Fields of jax_oneshot.demo.models.ModelConfig, by name. The sizes are those of the published models, with all layers.
_LLAMA = {
    "family": "llama", "layers": 32, "hidden": 4096, "ffn": 14336, "heads": 32, "kv_heads": 8, "head_dim": 128,
    "vocab": 128256,
}  # fmt: skip
_GEMMA = {
    "family": "gemma2", "layers": 42, "hidden": 3584, "ffn": 14336, "heads": 16, "kv_heads": 8, "head_dim": 256,
    "vocab": 256000,
}  # fmt: skip
_MIXTRAL = _LLAMA | {"vocab": 32000, "experts": 8, "experts_per_token": 2}
TRUE: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": _LLAMA,
    "gemma-2-9b": _GEMMA,
    "llama-3.1-8b-scan": _LLAMA | {"scan": True},
    "llama-3.1-8b-sharded-norms": _LLAMA | {"shard_norms": True},
    "mixtral-8x7b": _MIXTRAL,
}
TITLES = {
    "llama-3.1-8b": "Llama 3.1 8B",
    "gemma-2-9b": "Gemma 2 9B",
    "llama-3.1-8b-scan": "Llama 3.1 8B, scanned layers",
    "llama-3.1-8b-sharded-norms": "Llama 3.1 8B, sharded norms",
    "mixtral-8x7b": "Mixtral 8x7B",
}
_TINY = {
    "layers": 2, "hidden": 64, "ffn": 128, "heads": 8, "kv_heads": 8, "head_dim": 8, "vocab": 128
}  # fmt: skip
SIZES = ("true", "tiny")


def model(name: str, size: str, *, batch: int, context: int, layers: int | None = None) -> dict[str, Any]:
    """Fields of a ModelConfig.

    Args:
      name: one of TRUE.
      size: one of SIZES; "tiny" keeps the structure only.
      batch: number of sequences.
      context: number of positions in the cache.
      layers: replaces the model's own number of layers.
    """
    fields = TRUE[name] | (_TINY if size == "tiny" else {}) | {"batch": batch, "max_len": context}
    return fields if layers is None else fields | {"layers": layers}
