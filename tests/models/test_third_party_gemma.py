# SPDX-License-Identifier: Apache-2.0
"""The published Gemma 2 and 3, unmodified: at real widths through XLA's GPU compiler, and small on the CPU."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Any

import pytest
from jax_oneshot.commands import report as commands_report
from jax_oneshot.demo import compare, gpu_compile
from jax_oneshot.report import document, dump_folder, graph, row_program

LAYERS = 4
SCRIPT = str(pathlib.Path(__file__).with_name("gemma_model.py"))
MODELS = ("gemma2", "gemma3")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """Attributes: the all-reduces of the GPU module, in module order; the folder with its dump."""

    all_reduces: list[dict[str, Any]]
    folder: pathlib.Path


@pytest.fixture(scope="module", params=MODELS)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp(request.param)
    (report,) = gpu_compile.compile_in_process([sys.executable, SCRIPT, "gpu", request.param], folder).reports
    assert report["platform"] == "cuda"
    assert report["num_partitions"] == 8
    return Compiled(report["all_reduces"], folder)


@pytest.fixture
def all_reduces(compiled: Compiled) -> list[dict[str, Any]]:
    """First the embedding's, then two per block."""
    return compiled.all_reduces


def test_the_report_names_the_source_of_every_call_and_draws_it(compiled: Compiled) -> None:
    assert commands_report.write_page(compiled.folder).exists()
    (module,) = [document.read_module(dumped) for dumped in dump_folder.read(compiled.folder).modules]
    for entry, call in zip(module.summary["all_reduces"], module.calls, strict=True):
        assert call is not None
        assert "/gemma/gm/" in entry["source"]
        drawing = graph.draw(row_program.parse(entry["row_program"]), call.reads, call.returns)
        assert drawing.count("<rect") > len(call.reads) + len(call.returns)
        # With the constants and broadcasts, which the pass does not count.
        assert len(call.lines_before) > entry["absorbed"]["instructions"]


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
    # The difference is too small to change a token, so the runs do not agree by luck.
    assert 0 <= done.max_logit_difference < done.smallest_gap / 2
