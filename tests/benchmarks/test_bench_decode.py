# SPDX-License-Identifier: Apache-2.0
"""`bench decode`: tiny models on CPU devices end to end, and its figures from given times and traces."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import pytest
from jax_oneshot import device_trace
from jax_oneshot.benchmarks.decode import WAYS, figures, fleet, plot, sizes, tokens, trace, variants
from jax_oneshot.benchmarks.decode.fleet import Fleet, Layout
from jax_oneshot.demo.compare import WorkerError
from jax_process import RunPython

SMALL = ["--size", "tiny", "--rounds", "1", "--steps", "2", "--batch", "2", "--context", "8", "--ranks", "2"]


@pytest.mark.parametrize("model", sizes.TRUE)
def test_every_model_runs_tiny_and_off_and_on_are_measured_in_every_way(
    run_python: RunPython, tmp_path: pathlib.Path, model: str
) -> None:
    profile = ["--donate", "none"] if model == "llama-3.1-8b" else ["--no-profile"]
    done = run_python(
        ["-m", "jax_oneshot", "bench", "decode", "--model", model, *SMALL, *profile, "--out", "out.json"],
        env={"JAX_ONESHOT": "1"},
    )
    assert done.status == 0, done.stderr
    written = json.loads((tmp_path / "out.json").read_text())
    key = f"{model}, batch 2, donate none" if "--donate" in profile else f"{model}, batch 2"
    assert set(written["ratios"][key]["on"]) == set(WAYS)
    result = written["details"][key]
    assert set(result["variants"]) == {"off", "on"}
    assert result["failed"] == {}
    assert "verdicts" not in result["variants"]["off"], "the caller's JAX_ONESHOT leaked in"
    assert result["variants"]["on"]["verdicts"]["fused"] >= 2
    for one in result["variants"].values():
        assert all(one["ms"][way]["median"] > 0 for way in WAYS)
    assert result["donate"] == ("none" if "--donate" in profile else "cache")
    if "--donate" in profile:
        assert result["variants"]["on"]["profile"]["waited"]["host_ms"]["dispatch"] > 0


def test_logits_off_and_on_are_equally_near_float32s_and_the_shares_of_equal_tokens_are_shown(
    run_python: RunPython, tmp_path: pathlib.Path
) -> None:
    command = ["-m", "jax_oneshot", "bench", "decode", "--tokens", "--model", "gemma-2-9b", "--layers", "2"]
    done = run_python(
        [*command, "--size", "tiny", "--batch", "2", "--context", "32", "--ranks", "2", "--out", "out.json"]
    )
    assert done.status == 0, done.stderr
    result = json.loads((tmp_path / "out.json").read_text())["details"]["gemma-2-9b, tokens"]
    for name in ("off", "on"):
        assert 0 < result[name]["rms"] < 0.05, "bf16 differs from float32, by little"
        assert 0 < result[name]["equal"] <= 1
    assert result["on"]["rms"] < 1.3 * result["off"]["rms"]
    assert set(result["apart"]) == {"off", "on", "off_on"}
    assert "after the first near-tie they decode different texts" in done.stdout


def test_distances_are_relative_to_the_rms_of_float32s_logits() -> None:
    judge = np.array([[[3.0, -3.0, 3.0, -3.0]]], np.float32)
    assert tokens.distance(judge, judge) == {"rms": 0.0, "largest": 0.0}
    assert tokens.distance(judge + np.array([0, 0, 0, 0.6], np.float32), judge) == pytest.approx(
        {"rms": 0.1, "largest": 0.2}
    )
    assert tokens.share_equal([[1, 2], [3, 4]], [[1, 2], [3, 5]]) == 0.75


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--size", "true"], "models of true size take GPUs; to try it on CPU devices: --size tiny"),
        (["--ranks", "2,4"], "decode takes one number of ranks, at least 2; got 2, 4"),
        (["--ranks", "1"], "decode takes one number of ranks, at least 2; got 1"),
        (["--gpus", "each"], "decode has no --gpus each here; expected together"),
        (["--variants", "off;NCCL"], "no variant 'NCCL' here; known: off; on"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(run_python: RunPython, flags: list[str], why: str) -> None:
    done = run_python(["-m", "jax_oneshot", "bench", "decode", *SMALL, *flags])
    assert done.status == 1
    assert why in " ".join(done.stderr.split())


def test_variants_set_all_our_variables_and_only_a_new_xla_can_leave_its_own_kernels_out() -> None:
    old, new = variants.known("cuda", (0, 11, 2)), variants.known("cuda", (0, 12, 0, 1))
    assert list(old) == ["off", "off, NCCL in graphs", "on"]
    assert list(new) == ["off", "off, NCCL in graphs", "off, NCCL alone", "on"]
    flags = {name: variant.environment(["--shared"], "dump")["XLA_FLAGS"] for name, variant in new.items()}
    assert flags["off"] == flags["on"] == "--shared"
    assert flags["off, NCCL in graphs"] == "--shared --xla_gpu_enable_command_buffer=+COLLECTIVES"
    ours = [name for name in new["off"].environment([], "") if name.startswith("JAX_ONESHOT")]
    assert ours == ["JAX_ONESHOT", "JAX_ONESHOT_DUMP_TO", "JAX_ONESHOT_GRAPH_CALLS"]
    one_graph = variants.with_calls_per_graph(0)
    assert (one_graph.name, one_graph.environment([], "")["JAX_ONESHOT_GRAPH_CALLS"]) == ("on, one graph", "0")


@pytest.mark.parametrize(
    ("place", "visible", "expected"),
    [
        ("each", "", ["0", "1"]),
        ("each", "3,4,5", ["3", "4"]),
        ("together", "", ["0,1"]),
        ("together", "GPU-a,GPU-b", ["GPU-a,GPU-b"]),
    ],
)
def test_every_process_sees_the_gpus_of_its_ranks(place: str, visible: str, expected: list[str]) -> None:
    seen = [one["CUDA_VISIBLE_DEVICES"] for one in Layout(2, place, "cuda").environments(visible)]
    assert seen == expected


def test_fewer_gpus_than_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="2 ranks take a GPU each; CUDA_VISIBLE_DEVICES names 1: 3"):
        Layout(2, "each", "cuda").environments("3")


# Ranks answer every request, except that rank 1 exits at "die" and no rank answers "sleep".
RANK = """
import json, os, sys, time
job = json.loads(sys.argv[1])
print(json.dumps({"rank": job["rank"], "coordinator": bool(job["coordinator"])}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "die" and job["rank"] == 1:
        print("so it goes", file=sys.stderr, flush=True)
        os._exit(3)
    if request["do"] in ("die", "sleep"):
        print("rank", job["rank"], "waits", file=sys.stderr, flush=True)
        time.sleep(60)
    print(json.dumps(request), flush=True)
"""


@pytest.fixture
def two_ranks(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    monkeypatch.setattr(fleet, "_COMMAND", [sys.executable, str(script)])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lambda limit_s: Fleet(Layout(2, "each", "cuda"), {}, {"PATH": os.environ["PATH"]}, limit_s)


def test_all_processes_get_a_request_and_rank_0_answers(two_ranks: Any) -> None:
    with two_ranks(30) as ranks:
        assert ranks.first_answer() == {"rank": 0, "coordinator": True}
        assert ranks.ask(do="this", steps=3) == {"do": "this", "steps": 3}


def test_a_rank_that_ends_is_named_though_the_others_wait_for_it(two_ranks: Any) -> None:
    with two_ranks(30) as ranks:
        ranks.first_answer()
        with pytest.raises(WorkerError, match="rank 1 ended; it printed:\nso it goes"):
            ranks.ask(do="die")


def test_processes_that_are_late_are_ended(two_ranks: Any) -> None:
    with two_ranks(2) as ranks:
        ranks.first_answer()
        with pytest.raises(WorkerError, match="no answer within 2 s; rank 0 printed:\nrank 0 waits"):
            ranks.ask(do="sleep")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("oneshot_all_reduce_add_multiply_bf16_8x4096_fusion", "calls"),
        ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "collectives"),
        ("nvjet_tst_64x8_64x16_4x1_v_bz_TNT", "matrix products"),
        ("gemm_fusion_dot_210", "matrix products"),
        ("MemcpyD2D", "copies"),
        ("loop_dynamic_update_slice_fusion_7", "rest"),
    ],
)
def test_kernels_are_told_apart_by_name(name: str, kind: str) -> None:
    assert device_trace.kernel_kind(name) == kind


def test_a_summary_is_per_step_and_counts_overlapping_kernels_once_as_busy() -> None:
    ms = 1e6
    kernels = [
        device_trace.Event("oneshot_a", 0, 2 * ms),
        device_trace.Event("oneshot_a", 1 * ms, 2 * ms),
        device_trace.Event("gemm_1", 5 * ms, 1 * ms),
    ]
    host = [
        device_trace.Event("cuGraphLaunch", 0, 4 * ms),
        device_trace.Event("cuGraphExecKernelNodeSetParams", 0, 6 * ms),
    ]
    found = trace.summary(device_trace.Trace(kernels, host), steps=2)
    assert found["device_ms"] == {"calls": 2.0, "matrix products": 0.5}
    assert found["device_counts"] == {"calls": 1.0, "matrix products": 0.5}
    assert found["busy_ms"] == 2.0
    assert found["host_ms"] == {"launch graphs": 2.0, "update graphs": 3.0}
    assert found["most_on_device"][0] == {"name": "oneshot_a", "ms": 2.0, "count": 1.0}


def measured(floor_us: float | None) -> dict[str, Any]:
    def variant(loop: float, ahead: float, waited: float, **more: Any) -> dict[str, Any]:
        times = {"loop": loop, "ahead": ahead, "waited": waited}
        ms = {way: {"median": value, "low": value, "high": value} for way, value in times.items()}
        return {"ms": ms, "profile": {}, **more}

    profile = {"loop": {"device_ms": {"calls": 0.24}, "device_counts": {"calls": 60.0}}}
    on = variant(2.4, 3.8, 7.0) | {"profile": profile, "graph_ends": 15}
    parts = {"off": variant(3.4, 4.6, 7.2), "off, NCCL in graphs": variant(3.0, 6.0, 10.0), "on": on}
    return {"variants": parts, "failed": {}, "floor_us": floor_us}


def test_times_faster_are_against_the_best_of_xla_s_own_ways_of_each_way() -> None:
    assert figures.ratios(measured(None)) == {"on": {"loop": 1.25, "ahead": 1.211, "waited": 1.029}}


def test_the_share_is_of_what_calls_as_fast_as_the_floor_would_save() -> None:
    # 60 calls of 4 us; at 3 us each a step would take 2.34 ms.
    share = (3.4 - 2.4) / (3.4 - 2.34)
    assert figures.ratios(measured(3.0))["on"]["share_of_saving"] == round(share, 3)


def test_the_time_to_the_first_token_of_each_prompt_is_measured_off_and_on(
    run_python: RunPython, tmp_path: pathlib.Path
) -> None:
    command = ["-m", "jax_oneshot", "bench", "decode", "--prompts", "2,16", "--model", "llama-3.1-8b", "--layers", "2"]
    small = ["--size", "tiny", "--context", "8", "--ranks", "2", "--rounds", "1"]
    done = run_python([*command, *small, "--out", "out.json"])
    assert done.status == 0, done.stderr
    written = json.loads((tmp_path / "out.json").read_text())
    result = written["details"]["llama-3.1-8b, prompts"]
    assert result["model"]["max_len"] == 16, "the longest prompt fits"
    assert result["model"]["batch"] == 1
    assert set(result["prompts"]) == {"2", "16"}
    assert all(of[name]["median"] > 0 for of in result["prompts"].values() for name in ("off", "on"))
    assert written["ratios"]["llama-3.1-8b, prompts"] == figures.ratios(result)


def test_a_picture_shows_each_model_once_off_and_as_the_pass_runs_it(tmp_path: pathlib.Path) -> None:
    def run(donate: str, *names: str) -> dict[str, Any]:
        ms = {"median": 2.0, "low": 1.0, "high": 3.0}
        variants = {name: {"ms": dict.fromkeys(WAYS, ms)} for name in names}
        return {"donate": donate, "flags": [], "variants": variants}

    details = {
        "llama-3.1-8b, donate none": run("none", "off", "on"),
        "llama-3.1-8b": run("cache", "off", "on, 4 calls per graph", "on, one graph"),
        "gemma-2-9b, donate all": run("all", "off", "off, NCCL in graphs", "on"),
        "load_before_decode": 0.5,
    }
    bars = plot.bars({"details": details})
    assert {name: list(of) for name, of in bars.items()} == {
        "Llama 3.1 8B": ["off", "on"],
        "Gemma 2 9B": ["off", "off, NCCL in graphs", "on"],
    }
    path = tmp_path / "step.json"
    path.write_text(json.dumps({"details": details}))
    text = plot.draw(path).read_text()
    assert all(label in text for label in ("Gemma 2 9B", "off, NCCL in graphs", "waited"))
    path.write_text(json.dumps({"details": {}}))
    with pytest.raises(ValueError, match="has no decoding steps to draw"):
        plot.draw(path)
