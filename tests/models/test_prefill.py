# SPDX-License-Identifier: Apache-2.0
"""The demo's prefill is the same model as its decoding step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_oneshot.demo import models, weights


@pytest.mark.parametrize("family", models.FAMILIES)
@pytest.mark.parametrize("kind", [{}, {"scan": True}, {"experts": 4}], ids=["plain", "scan", "experts"])
def test_a_prefill_gives_the_logits_and_the_cache_of_decoding_token_by_token(family: str, kind: dict[str, int]) -> None:
    config = models.ModelConfig(family=family, layers=2, batch=3, max_len=8, dtype=jnp.float32, **kind)  # type: ignore[arg-type]
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), weights.init_params(config, seed=0))
    prompts = jnp.arange(15, dtype=jnp.int32).reshape(3, 5)
    token, logits, filled = models.prefill(config, params, models.empty_cache(config), prompts)
    cache = models.empty_cache(config)
    for position in range(5):
        last, expected, cache = models.decode_step(config, params, cache, prompts[:, position], jnp.int32(position))
    np.testing.assert_array_equal(token, last)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-6 * float(jnp.abs(expected).max()))
    for left, right in zip(jax.tree.leaves(filled), jax.tree.leaves(cache), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-5)
