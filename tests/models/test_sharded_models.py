# SPDX-License-Identifier: Apache-2.0
"""Whole models whose norm weights are sharded over the devices: the demo's, and Gemma as published."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import pytest
from jax_oneshot.commands import demo
from jax_oneshot.demo import compare, gpu_compile

GEMMA_LAYERS = 4
GEMMA = str(pathlib.Path(__file__).with_name("gemma_model.py"))


def compile_demo(variant: str, layers: int) -> dict[str, Any]:
    """The report on the GPU module at real widths."""
    config = gpu_compile.real_widths(demo.model_config(variant, layers, shard_norms=True))
    (report,) = gpu_compile.compile_model(config).reports
    return report


@pytest.mark.parametrize("variant", demo.VARIANTS)
def test_the_demo_on_the_cpu_gives_equal_tokens_with_every_all_reduce_rewritten(variant: str) -> None:
    config = demo.model_config(variant, layers=4, shard_norms=True)
    done = compare.compare(config.name, compare.worker_command(config), steps=16, rounds=0)
    assert done.tokens_equal, f"first differing step: {done.first_difference}"
    assert done.verdicts["plain"] == done.verdicts["kept"] == 0
    assert done.max_logit_difference < done.smallest_gap / 2
    (report,) = done.reports
    assert report["collectives_after"] < report["collectives_before"]


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_a_layer_of_the_demo_for_gpus_has_two_collectives_left(family: str) -> None:
    few, more = compile_demo(family, 2), compile_demo(family, 4)
    before = (more["collectives_before"] - few["collectives_before"]) / 2
    after = (more["collectives_after"] - few["collectives_after"]) / 2
    assert before >= 6
    assert after == 2


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_a_scanned_layer_for_gpus_has_two_collectives_left_too(family: str) -> None:
    """The norm after a layer's last all-reduce is at the start of the next iteration, so the loop is rotated."""
    report = compile_demo(family + "-scan", 4)
    (loop,) = report["loops"]
    assert loop["collectives_before"] >= 6
    assert loop["collectives_after"] == 2
    (rotation,) = report["rotations"]
    assert rotation["rotated"] is True


@pytest.mark.parametrize("model", ["gemma2", "gemma3"])
def test_a_layer_of_gemma_for_gpus_has_two_collectives_left(model: str) -> None:
    (report,) = gpu_compile.compile_in_process([sys.executable, GEMMA, "gpu", model, "shard-norms"]).reports
    calls = [entry for entry in report["all_reduces"] if entry["outputs"] > 0]
    assert {entry["verdict"] for entry in report["all_reduces"]} == {"fused"}
    assert len(calls) == 2 * GEMMA_LAYERS + 1  # plus the embedding's
    gathers = report["collectives_before"] - len(report["all_reduces"])
    left = gathers - sum(entry["absorbed"]["all_gathers"] for entry in calls)
    assert report["collectives_after"] == len(calls) + left
    assert left < GEMMA_LAYERS, "those of the logits, none of a layer"


@pytest.mark.parametrize("model", ["gemma2", "gemma3"])
def test_small_gemma_on_the_cpu_gives_equal_tokens(model: str) -> None:
    done = compare.compare(model, [sys.executable, GEMMA, "serve", model, "shard-norms"], steps=16, rounds=0)
    assert done.tokens_equal, f"first differing step: {done.first_difference}"
    assert done.verdicts["plain"] == done.verdicts["kept"] == 0
    assert 0 <= done.max_logit_difference < done.smallest_gap / 2
