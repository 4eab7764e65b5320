# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md: its figures match the committed results, and it explains every method and ratio."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import fill_performance
import pytest
from jax_oneshot.benchmarks import kernel_exchange
from jax_process import REPOSITORY

PAGE = (REPOSITORY / "docs/performance.md").read_text()
RESULTS = sorted((REPOSITORY / "benchmarks/results").glob("kernel-*.json"))


def results(**ratios: Any) -> dict[str, Any]:
    """A small results file."""
    machine = {"gpu": "NVIDIA H200", "multiprocessors": 132}
    return {
        "machine": machine,
        "versions": {"driver": "13.0", "nvrtc": "13.0"},
        "date": "2026-11-24",
        "ratios": ratios,
        "details": {
            "kernel_us": {"2": {"1x3584": {"fused": 2.5, "plain": 2}}},
            "public_us": {"2": {"1x3584": {"x": 3}}},
        },
    }


def test_the_figures_are_those_of_the_committed_results() -> None:
    done = subprocess.run([sys.executable, "tools/fill_performance.py", "--check"], cwd=REPOSITORY, check=False)
    assert done.returncode == 0, "docs/performance.md is behind benchmarks/results; run tools/fill_performance.py"


def test_a_goal_counts_only_the_shapes_it_is_for() -> None:
    section = fill_performance.section(
        "kernel-h200", results(fused_vs_unfused={"2": {"8x3584": 0.4, "16x3584": 0.9, "1x3584": 0.5}})
    )
    assert "| at most 0.4 at rows <= 8 | 0.40 | 0.45 | 0.50 | 1 of 2 shapes |" in section
    assert "fused against the all-reduce alone" not in section


def test_a_table_has_ours_and_the_public_kernels() -> None:
    section = fill_performance.section("kernel-h200", results())
    assert "| rows x H | fused | two_kernels | three_kernels | plain | push_poll | empty | sharded |" in section
    assert "| sharded | sharded_collectives | x |" in section
    assert "| 1x3584 | 2.50 |  |  | 2.00 |  |  |  |  | 3.00 |" in section


def test_a_gpu_per_rank_is_a_section_of_its_own_with_its_ratios_and_columns() -> None:
    one = results(fused_vs_plain={"2": {"1x3584": 1.2}})
    each = results(fused_vs_plain={"2": {"1x3584": 1.1}}, fused_vs_nccl={"2": {"1x3584": 0.5}})
    each["machine"] |= {"gpus": "each", "gpu_count": 2}
    each["versions"]["nccl"] = "2.30.7"
    each["details"]["kernel_us"]["2"]["1x3584"]["nccl_two_kernels"] = 5
    page = fill_performance
    text = page.filled(page.BEGIN + page.END, {"kernel-h200": one, "kernel-h200-each": each}, {}, {})
    first, _, second = text.partition("### NVIDIA H200, a GPU per rank\n")
    assert "### NVIDIA H200\n" in first
    assert "nccl" not in first.lower()
    assert "driver 13.0, NVRTC 13.0, NCCL 2.30.7, 2 GPUs, 132 multiprocessors each." in second
    assert "| fused against the all-reduce alone | at most 1.15 | 1.10 | 1.10 | 1.10 | 1 of 1 shapes |" in second
    assert "residual and norm |  | 0.50 | 0.50 | 0.50 |  |" in second
    assert "| sharded_collectives | nccl_two_kernels | x |" in second
    assert "(../benchmarks/results/kernel-h200-each.svg)" in second


def test_large_messages_are_a_table_of_one_shot_against_nccl() -> None:
    each = results()
    each["machine"] |= {"gpus": "each", "gpu_count": 2}
    us = {"plain": 10.0, "nccl": 20.0, "fused": 12.0, "nccl_two_kernels": 30.0}
    each["details"]["kernel_us"] = {"2": {"256x8192": us}}
    page = fill_performance
    text = page.filled(page.BEGIN + page.END, {}, {"large-messages": each}, {})
    assert "### Large messages: NVIDIA H200, a GPU per rank" in text
    assert "| 2 ranks, 256x8192 | 4 | 10.00 | 20.00 | 12.00 | 30.00 | 0.50 | 0.40 |" in text


def test_one_shot_and_two_are_a_table_with_what_each_sends() -> None:
    each = results()
    each["machine"] |= {"gpus": "each", "gpu_count": 4}
    us = {"fused": 20.0, "two_shot": 10.0, "nccl_two_kernels": 30.0}
    each["details"] = {"kernel_us": {"4": {"256x8192": us, "8x8192": us}}, "public_us": {"4": {"256x8192": {"x": 8.0}}}}
    page = fill_performance
    text = page.filled(page.BEGIN + page.END, {}, {}, {"two-shot": each})
    assert "### One shot and two: NVIDIA H200, a GPU per rank" in text
    # A message of 4 MiB: sent to 3 others; 3 quarters of it sent twice; or sent once, and then two outputs of it.
    assert (
        "| 4 ranks, 256x8192 | 12.00 | 6.00 | 9.00 | 20.00 | 10.00 | 30.00 | 8.00 | x | 629.15 | 1.25 | 0.33 |" in text
    )
    assert "| 4 ranks, 8x8192 | 0.38 | 0.19 | 0.28 | 20.00 | 10.00 | 30.00 |  |  | 19.66 |  | 0.33 |" in text


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/performance\.md lacks the lines"):
        fill_performance.filled("no markers", {}, {}, {})


def test_every_method_and_every_ratio_is_explained() -> None:
    assert set(kernel_exchange.METHODS) <= set(re.findall(r"^\| (\w+) \|", PAGE, re.MULTILINE))
    page = fill_performance
    assert set(page.GOALS) == {*kernel_exchange.RATIOS, page.LEAST}
    assert {*page.METHODS, *page.MORE_METHODS} == set(kernel_exchange.METHODS)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_results_file_has_its_picture_and_names_what_it_was_measured_with(path: Any) -> None:
    assert path.with_suffix(".svg").exists()
    content = json.loads(path.read_text())
    assert set(content["versions"]) - {"nccl"} == {"jax_oneshot", "driver", "nvrtc"}
    assert path.stem.endswith("-each") == (content["machine"].get("gpus") == "each")
    assert content["machine"]["gpu"]
