# SPDX-License-Identifier: Apache-2.0
"""Every model of the demo gives the same tokens with JAX_ONESHOT on and off."""

from __future__ import annotations

import pytest
from jax_oneshot.commands import demo
from jax_oneshot.demo import compare

STEPS = 16
LAYERS = 4  # of the demo's 16: compiling takes most of the time


@pytest.mark.parametrize("variant", demo.VARIANTS)
def test_the_demo_variant_gives_equal_tokens_with_every_all_reduce_rewritten(variant: str) -> None:
    config = demo.model_config(variant, layers=LAYERS)
    done = compare.compare(variant, compare.worker_command(config), steps=STEPS, rounds=0)
    assert done.tokens_equal, f"first differing step: {done.first_difference}"
    # A scanned body has two all-reduces, once for all layers; one more is the embedding's.
    expected = 3 if config.scan else 2 * config.layers + 1
    assert done.verdicts["fused"] + done.verdicts["plain"] == expected
    assert done.verdicts["kept"] == 0
    assert done.verdicts["fused"] >= expected - 1
    assert done.absorbed > 0
    assert done.max_logit_difference < done.smallest_gap / 2
