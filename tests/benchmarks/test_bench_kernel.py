# SPDX-License-Identifier: Apache-2.0
"""The kernel benchmark's Python half, with a fake process instead of a GPU: figures, tables, plot, errors."""

from __future__ import annotations

import io
import json
import pathlib
import sys
from typing import Any

import pytest
from jax_oneshot import native
from jax_oneshot.benchmarks import kernel_exchange, kernel_plot, kernel_tables
from jax_oneshot.benchmarks.kernel_exchange import Exchange, Request
from jax_oneshot.commands import bench
from jax_oneshot.demo.compare import WorkerError
from jax_process import RunPython
from rich.console import Console

DEVICE = {"gpu": "NVIDIA H200", "driver": "13.0", "nvrtc": "13.0", "arch": "sm_90", "multiprocessors": 132}
DEVICE |= {"nccl": "", "gpus": 1, "most_ranks": 8}
US = {
    "fused": [5.0, 4.0, 9.0],
    "two_kernels": [8.0],
    "three_kernels": [10.0],
    "plain": [4.0],
    "push_poll": [2.0],
    "empty": [1.0],
}
US |= {"two_shot": [4.5], "two_shot_plain": [3.5]}
US |= {
    "sharded": [6.0],
    "sharded_collectives": [15.0],
    "two_kernels_pdl": [6.0],
    "push_poll_pdl": [1.6],
    "empty_pdl": [0.5],
}
NCCL = {"nccl": [12.0], "nccl_two_kernels": [16.0], "nccl_three_kernels": [18.0]}
ANSWER = {"us": US, "public_us": {"slow": [7.0], "quick": [5.0]}, "skipped": {"big": "does not fit"}}


def process(*answers: dict[str, Any]) -> list[str]:
    """A command that sends the next of `answers` for each request, then exits."""
    lines = [json.dumps(answer) for answer in answers]
    return [sys.executable, "-c", f"for line in {lines!r}:\n input()\n print(line, flush=True)"]


def measured(
    *answers: dict[str, Any], ranks: tuple[int, ...] = (2,), shapes: tuple[tuple[int, int], ...] = ((8, 4096),)
) -> list[Exchange]:
    request = Request(ranks=ranks, shapes=shapes)
    device, exchanges = kernel_exchange.measure(request, 1, lambda text: None, command=process(DEVICE, *answers))
    assert device == DEVICE
    return exchanges


def test_a_time_is_the_median_of_its_turns_and_public_is_the_fastest() -> None:
    (one,) = measured({**ANSWER, "us": US | NCCL})
    assert one.time("fused") == 5
    assert one.time("public") == 5
    assert one.ratio("fused_vs_unfused") == 5 / 8
    assert one.ratio("fused_vs_three_kernels") == 5 / 10
    assert one.ratio("fused_vs_plain") == 5 / 4
    assert one.ratio("plain_vs_floor") == 4 / 2
    assert one.ratio("fused_vs_best_public") == 1
    assert one.ratio("sharded_vs_collectives") == 6 / 15
    assert one.ratio("fused_vs_unfused_pdl") == 5 / 6
    assert one.ratio("plain_vs_floor_pdl") == 4 / 1.6
    assert one.ratio("fused_vs_nccl") == 5 / 16
    assert one.ratio("plain_vs_nccl") == 4 / 12
    assert one.ratio("two_shot_vs_one_shot") == 4.5 / 5


def test_ours_is_the_quicker_of_one_shot_and_two() -> None:
    (one,) = measured({**ANSWER, "us": US | NCCL})
    assert (one.time("ours"), one.ratio("ours_vs_best_public"), one.ratio("ours_vs_nccl")) == (4.5, 4.5 / 5, 4.5 / 16)
    (slower,) = measured({**ANSWER, "us": {"fused": [5.0], "two_shot": [6.0]}})
    assert slower.time("ours") == 5
    (neither,) = measured({**ANSWER, "us": {"plain": [5.0]}})
    assert neither.time("ours") is None


def test_ratios_stand_by_ranks_and_shape() -> None:
    exchanges = measured(ANSWER, {**ANSWER, "us": US | NCCL}, ranks=(2, 4), shapes=((1, 3584),))
    ratios = kernel_exchange.ratios(exchanges)
    assert set(ratios) == set(kernel_exchange.RATIOS)
    assert ratios["fused_vs_plain"] == {"2": {"1x3584": 1.25}, "4": {"1x3584": 1.25}}
    assert ratios["fused_vs_nccl"] == {"4": {"1x3584": 0.312}}
    details = kernel_exchange.details(exchanges)
    assert details["kernel_us"]["2"]["1x3584"]["fused"] == 5
    assert details["public_us"]["4"]["1x3584"] == {"slow": 7, "quick": 5}
    assert details["kernel_skipped"]["2"] == {"1x3584": {"big": "does not fit"}}


def test_each_number_of_ranks_is_measured_for_which_there_are_gpus() -> None:
    request = Request(gpus="each", shapes=((1, 4096), (8, 8192)))
    assert request.extents(3) == [(2, 1, 4096), (2, 8, 8192)]
    assert {ranks for ranks, _, _ in request.extents(8)} == {2, 4, 8}
    assert len(Request().extents(8)) == 3 * 5 * 3
    asked = Request(ranks=(4,), shapes=((1, 4096),))
    assert asked.extents(2) == [(4, 1, 4096)]  # the process that measures rejects it, with the reason


def test_a_gpu_per_rank_is_asked_for_and_noted() -> None:
    echo = "import json\nfirst = json.loads(input())\nprint(json.dumps({**first, 'most_ranks': 0}), flush=True)"
    request = Request(gpus="each", competitors=["./libx.so"], nccl=False, methods=["fused"])
    device, exchanges = kernel_exchange.measure(request, 1, lambda text: None, command=[sys.executable, "-c", echo])
    assert (device["gpus"], device["competitors"], device["nccl"], exchanges) == ("each", ["./libx.so"], False, [])
    assert device["methods"] == ["fused"]
    each = kernel_exchange.stamp({**DEVICE, "nccl": "2.30.7", "gpus": 2}, "each")
    assert each["where"]["gpus"] == "each"
    assert each["where"]["gpu_count"] == 2
    assert each["what"]["nccl"] == "2.30.7"
    one = kernel_exchange.stamp(DEVICE, "one")
    assert set(one["where"]) == {"gpu", "multiprocessors", "arch", "system", "machine"}
    assert set(one["what"]) == {"jax_oneshot", "driver", "nvrtc"}


def test_nccl_runs_without_multicast_unless_the_environment_says_otherwise() -> None:
    assert kernel_exchange.worker_environment({})["NCCL_NVLS_ENABLE"] == "0"
    assert kernel_exchange.worker_environment({"NCCL_NVLS_ENABLE": "1"})["NCCL_NVLS_ENABLE"] == "1"


def test_a_run_without_public_kernels_writes_nothing_about_them() -> None:
    exchanges = measured({**ANSWER, "public_us": {}})
    assert "fused_vs_best_public" not in kernel_exchange.ratios(exchanges)
    assert "public_us" not in kernel_exchange.details(exchanges)


def test_what_was_skipped_has_no_ratio() -> None:
    (one,) = measured({**ANSWER, "us": {"fused": [1.0]}})
    assert one.ratio("fused_vs_plain") is None
    assert one.ratio("plain_vs_floor") is None


def test_an_error_names_the_shape() -> None:
    with pytest.raises(WorkerError, match=r"2 ranks, bf16\[8,4096\]: fused: rank 1 and rank 0 do not hold the same"):
        measured({"error": "fused: rank 1 and rank 0 do not hold the same bits"})


def test_a_process_that_ends_without_an_answer_names_the_shape() -> None:
    with pytest.raises(WorkerError, match=r"2 ranks, bf16\[8,4096\]: a process said ''"):
        measured()


def test_a_process_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_exchange, "_DEADLINE_S", 0.2)
    command = [sys.executable, "-c", f"input(); print({json.dumps(DEVICE)!r}, flush=True)\nwhile True: input()"]
    sleeps = [*command[:2], command[2].replace("input()\nwhile", "input()\nwhile")]
    with pytest.raises(WorkerError, match=r"2 ranks, bf16\[8,4096\] \(ended here after 0 s\)"):
        kernel_exchange.measure(Request(ranks=(2,), shapes=((8, 4096),)), 1, lambda text: None, command=sleeps)


def shown(ranks: int, answer: dict[str, Any], which: int = 0) -> list[list[str]]:
    """The cells of the header and the rows, as an eighty-column terminal shows them."""
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(kernel_tables.tables(ranks, measured(answer))[which])
    lines = [line for line in console.export_text().splitlines() if line.strip(" ─")]
    return [line.replace(f"{ranks} ranks", f"{ranks}-ranks").split() for line in lines]


def test_a_table_fits_eighty_columns_and_shows_times_and_ratios() -> None:
    head, shape = shown(8, ANSWER)
    assert head[:2] == ["8-ranks", "fused"]
    assert dict(zip(head, shape, strict=True)) == {
        **{"8-ranks": "8x4096", "fused": "5.00", "2-kern": "8.00", "3-kern": "10.00", "plain": "4.00"},
        **{"floor": "2.00", "public": "5.00"},
        **{"f/2k": "0.62", "f/pl": "1.25", "p/fl": "2.00", "f/pub": "1.00", "s/co": "0.40"},
    }


def test_a_table_with_a_gpu_per_rank_shows_nccl_in_place_of_public_kernels() -> None:
    head, shape = shown(2, {"us": US | NCCL, "public_us": {}, "skipped": {}})
    assert "public" not in head
    cells = dict(zip(head, shape, strict=True))
    assert {name: cells[name] for name in ("nccl", "n+norm", "f/nccl", "p/nccl")} == {
        **{"nccl": "12.00", "n+norm": "16.00", "f/nccl": "0.31", "p/nccl": "0.33"}
    }


def test_a_second_table_shows_one_shot_and_two_beside_others() -> None:
    head, shape = shown(8, {**ANSWER, "us": US | NCCL}, which=1)
    assert dict(zip(head, shape, strict=True)) == {
        **{"8-ranks": "8x4096", "one-shot": "5.00", "two-shot": "4.50", "public": "5.00", "n+norm": "16.00"},
        **{"2/1": "0.90", "ours/pub": "0.90", "ours/nccl": "0.28"},
    }
    without = {**ANSWER, "us": {"fused": [1.0]}}
    assert len(kernel_tables.tables(8, measured(without))) == 1


@pytest.mark.parametrize(
    ("gpu", "gpus", "name"),
    [
        ("NVIDIA H200", "one", "kernel-h200.json"),
        ("NVIDIA H100 80GB HBM3", "one", "kernel-h100-80gb-hbm3.json"),
        ("NVIDIA H100 80GB HBM3", "each", "kernel-h100-80gb-hbm3-each.json"),
    ],
)
def test_the_file_is_named_after_the_gpu(gpu: str, gpus: str, name: str) -> None:
    assert kernel_tables.file_name(gpu, gpus) == name


def test_the_legend_tells_the_fastest_public_kernel_and_what_was_skipped() -> None:
    legend = kernel_tables.legend(measured(ANSWER, ANSWER, shapes=((1, 3584), (8, 3584))))
    assert "push_poll: the floor" in legend
    assert "NCCL" not in legend  # it was not measured
    assert "public: quick is the fastest at 2 shapes" in legend
    assert "skipped: big at 2x[1,3584], 2x[8,3584]: does not fit" in legend


def test_curves_are_drawn_over_the_rows(tmp_path: pathlib.Path) -> None:
    answer = {**ANSWER, "us": US | NCCL}
    exchanges = measured(answer, answer, shapes=((1, 3584), (8, 3584)))
    results = {"machine": DEVICE, "details": kernel_exchange.details(exchanges)}
    curves = kernel_plot.curves(results)
    assert curves["2"]["3584"]["fused"] == [(1, 5), (8, 5)]
    assert curves["2"]["3584"]["public"] == [(1, 5), (8, 5)]
    assert set(curves["2"]["3584"]) == set(kernel_plot._CURVES)
    path = tmp_path / "kernel-h200.json"
    path.write_text(json.dumps(results))
    picture = kernel_plot.draw(path)
    assert picture == tmp_path / "kernel-h200.svg"
    text = picture.read_text()
    for label, _, _ in kernel_plot._CURVES.values():
        assert label in text


@pytest.mark.skipif(not native.has_bench(), reason="jax_oneshot._bench is not built: `make bench-module` does")
def test_without_a_gpu_the_command_says_what_is_missing(run_python: RunPython) -> None:
    done = run_python(["-m", "jax_oneshot", "bench", "kernel", "--out", "out.json"], env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.status == 1
    assert "the CUDA driver" in done.stderr or "CUDA_ERROR_NO_DEVICE" in done.stderr


def test_without_its_native_module_the_command_says_how_to_get_it() -> None:
    missing = "import sys; sys.modules['jax_oneshot._bench'] = None\nfrom jax_oneshot.benchmarks import kernel_worker\n"
    worker = [sys.executable, "-c", missing + "sys.exit(kernel_worker.main())"]
    with pytest.raises(WorkerError, match=r"jax_oneshot\._bench does not load: .*`make bench ARGS=kernel`"):
        kernel_exchange.measure(Request(), 1, lambda text: None, command=worker)


def test_all_benchmarks_leave_out_the_kernel_without_its_native_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "gpu_count", lambda: 1)
    console = Console(record=True, file=io.StringIO(), width=200)
    monkeypatch.setattr(bench, "has_bench", lambda: True)
    assert "kernel" in bench._chosen("all", console)
    assert console.export_text() == ""
    monkeypatch.setattr(bench, "has_bench", lambda: False)
    assert "kernel" not in bench._chosen("all", console)
    assert "`make bench` in a source tree builds it" in console.export_text()
    assert bench._chosen("kernel", console) == ("kernel",)  # asked for by name: it fails, and says why


def test_the_benchmark_is_in_no_module_of_users() -> None:
    assert not hasattr(native.load(), "KernelBench")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--shapes", "8"], "expected rows and width like 1x4096,8x8192, got 8"),
        (["--shapes", "0x8"], "expected a whole number above 0, got 0"),
        (["--ranks", "two"], "expected a whole number above 0, got two"),
        (["--gpus", "some"], "invalid choice: 'some'"),
        (["--methods", "fused,fast"], "no method is called fast; known: fused, two_kernels"),
    ],
)
def test_flags_that_cannot_be_used_are_refused(run_python: RunPython, flags: list[str], said: str) -> None:
    done = run_python(["-m", "jax_oneshot", "bench", "kernel", *flags])
    assert done.status == 2
    assert said in done.stderr
