"""The published Gemma 2 and 3, unmodified: at real widths through XLA's GPU compiler, and small on the CPU."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import pytest
from jax_oneshot.demo import compare, gpu_compile

LAYERS = 4
SCRIPT = str(pathlib.Path(__file__).with_name("gemma_model.py"))
MODELS = ("gemma2", "gemma3")


@pytest.fixture(scope="module", params=MODELS)
def all_reduces(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Of the GPU module, in its order: the embedding's, then two of each block."""
    (report,) = gpu_compile.compile_in_process([sys.executable, SCRIPT, "gpu", request.param]).reports
    assert report["platform"] == "cuda"
    assert report["num_partitions"] == 8
    found: list[dict[str, Any]] = report["all_reduces"]
    return found


def test_every_all_reduce_has_one_verdict_with_a_reason(all_reduces: list[dict[str, Any]]) -> None:
    assert len({entry["name"] for entry in all_reduces}) == len(all_reduces) == 2 * LAYERS + 1
    assert all(entry["verdict"] in ("fused", "plain", "kept") for entry in all_reduces)
    assert all(entry["reason"] for entry in all_reduces)


def test_every_block_all_reduce_is_fused_with_its_own_norm_and_the_next(all_reduces: list[dict[str, Any]]) -> None:
    _, *blocks = all_reduces
    assert [entry["verdict"] for entry in blocks] == ["fused"] * 2 * LAYERS
    assert [entry["row_program"].count("reduce_sum") for entry in blocks] == [2] * 2 * LAYERS


def test_the_embedding_all_reduce_is_fused_or_plain(all_reduces: list[dict[str, Any]]) -> None:
    embedding, *_ = all_reduces
    assert embedding["verdict"] in ("fused", "plain")


@pytest.mark.parametrize("model", MODELS)
def test_the_small_model_on_the_cpu_gives_equal_tokens(model: str) -> None:
    done = compare.compare(model, [sys.executable, SCRIPT, "serve", model], steps=16, rounds=0)
    assert done.tokens_equal, f"first differing step: {done.first_difference}"
    assert done.verdicts["fused"] >= 2 * LAYERS
    assert done.verdicts["kept"] == 0
    # Small against what decides a token: the runs agree for a reason, not by luck.
    assert 0 <= done.max_logit_difference < done.smallest_gap / 2
