"""The kernel benchmark's Python half, with a process that answers without a GPU: figures, tables, picture, errors."""

from __future__ import annotations

import io
import json
import pathlib
import sys
from typing import Any

import pytest
from jax_oneshot.benchmarks import kernel_exchange, kernel_plot, kernel_tables
from jax_oneshot.benchmarks.kernel_exchange import Exchange
from jax_oneshot.demo.compare import WorkerError
from jax_process import RunPython
from rich.console import Console

DEVICE = {"gpu": "NVIDIA H200", "driver": "13.0", "nvrtc": "13.0", "arch": "sm_90", "multiprocessors": 132}
US = {"fused": [5.0, 4.0, 9.0], "apart": [8.0], "three": [10.0], "plain": [4.0], "push_poll": [2.0], "empty": [1.0]}
US |= {"sharded": [6.0], "sharded_apart": [15.0]}
ANSWER = {"us": US, "public_us": {"slow": [7.0], "quick": [5.0]}, "skipped": {"big": "does not fit"}}


def process(*answers: dict[str, Any]) -> list[str]:
    """A command that gives one of `answers` to each request, then ends."""
    lines = [json.dumps(answer) for answer in answers]
    return [sys.executable, "-c", f"for line in {lines!r}:\n input()\n print(line, flush=True)"]


def measured(*answers: dict[str, Any], shapes: tuple[tuple[int, int, int], ...] = ((2, 8, 4096),)) -> list[Exchange]:
    command = process(DEVICE, *answers)
    device, exchanges = kernel_exchange.measure(1, [], lambda text: None, command=command, shapes=shapes)
    assert device == DEVICE
    return exchanges


def test_a_time_is_the_median_of_its_turns_and_public_is_the_fastest() -> None:
    (one,) = measured(ANSWER)
    assert one.time("fused") == 5
    assert one.time("public") == 5
    assert one.ratio("fused_vs_unfused") == 5 / 8
    assert one.ratio("fused_vs_three_kernels") == 5 / 10
    assert one.ratio("fused_vs_plain") == 5 / 4
    assert one.ratio("plain_vs_floor") == 4 / 2
    assert one.ratio("fused_vs_best_public") == 1
    assert one.ratio("sharded_vs_collectives") == 6 / 15


def test_ratios_stand_by_ranks_and_shape() -> None:
    exchanges = measured(ANSWER, ANSWER, shapes=((2, 1, 3584), (4, 8, 8192)))
    ratios = kernel_exchange.ratios(exchanges)
    assert set(ratios) == set(kernel_exchange.RATIOS)
    assert ratios["fused_vs_plain"] == {"2": {"1x3584": 1.25}, "4": {"8x8192": 1.25}}
    details = kernel_exchange.details(exchanges)
    assert details["kernel_us"]["2"]["1x3584"]["fused"] == 5
    assert details["public_us"]["4"]["8x8192"] == {"slow": 7, "quick": 5}
    assert details["kernel_skipped"]["2"] == {"1x3584": {"big": "does not fit"}}


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
        kernel_exchange.measure(1, [], lambda text: None, command=sleeps, shapes=((2, 8, 4096),))


def test_a_table_fits_a_hundred_columns_and_shows_times_and_ratios() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(kernel_tables.table(8, measured(ANSWER)))
    lines = [line for line in console.export_text().splitlines() if line[0] in "┃│"]
    head, shape = ([cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")] for line in lines)
    assert head[:2] == ["8 ranks", "fused"]
    assert dict(zip(head, shape, strict=True)) == {
        **{"8 ranks": "8x4096", "fused": "5.00", "apart": "8.00", "three": "10.00", "plain": "4.00"},
        **{"floor": "2.00", "public": "5.00"},
        **{"f/apart": "0.62", "f/plain": "1.25", "p/floor": "2.00", "f/public": "1.00", "s/apart": "0.40"},
    }


@pytest.mark.parametrize(
    ("gpu", "name"),
    [("NVIDIA H200", "kernel-h200.json"), ("NVIDIA H100 80GB HBM3", "kernel-h100-80gb-hbm3.json")],
)
def test_the_file_is_named_after_the_gpu(gpu: str, name: str) -> None:
    assert kernel_tables.file_name(gpu) == name


def test_the_legend_tells_the_fastest_public_kernel_and_what_was_skipped() -> None:
    legend = kernel_tables.legend(measured(ANSWER, ANSWER, shapes=((2, 1, 3584), (2, 8, 3584))))
    assert "public: quick is the fastest at 2 shapes" in legend
    assert "skipped: big at 2x[1,3584], 2x[8,3584]: does not fit" in legend


def test_curves_are_drawn_over_the_rows(tmp_path: pathlib.Path) -> None:
    exchanges = measured(ANSWER, ANSWER, shapes=((2, 1, 3584), (2, 8, 3584)))
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


def test_without_a_gpu_the_command_says_what_is_missing(run_python: RunPython) -> None:
    done = run_python(["-m", "jax_oneshot", "bench", "kernel", "--out", "out.json"], env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.status == 1
    assert "the CUDA driver" in done.stderr or "CUDA_ERROR_NO_DEVICE" in done.stderr
