# SPDX-License-Identifier: Apache-2.0
"""The script that decodes through JAX on GPUs, tested without one: its worker on CPU, and what it reports as wrong."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tp_decode
from jax_oneshot.benchmarks.decode import fleet
from jax_process import REPOSITORY, RunPython

FOLDER = REPOSITORY / "tests" / "gpu"


@pytest.fixture
def setup(tmp_path: pathlib.Path) -> tp_decode.Setup:
    return tp_decode.Setup(ranks=2, steps=4, model={"layers": 1}, folder=tmp_path, limit_s=60)


def save(setup: tp_decode.Setup, name: str, tokens: list[int]) -> None:
    step_ms, ahead_ms = [9.0, 9.0, 1.0, 3.0], [4.0, 1.0, 0.5]
    np.savez(setup.save(name), tokens=tokens, logits=[0.0], facts='{"jax": "0"}', step_ms=step_ms, ahead_ms=ahead_ms)


def checks() -> tp_decode.Checks:
    made = tp_decode.Checks()
    made.results["setup"] = {}
    return made


def test_the_worker_gives_the_same_tokens_off_and_on(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    tokens = []
    for on in ("0", "1"):
        save = str(tmp_path / f"{on}.npz")
        job = {"ranks": 2, "rank": 0, "coordinator": "", "model": {"layers": 2}, "steps": 4, "save": save}
        env = {"JAX_ONESHOT": on, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        done = run_python([str(FOLDER / "tp_decode_worker.py"), json.dumps(job)], env=env)
        assert done.status == 0, done.stderr
        saved = np.load(save)
        tokens.append(saved["tokens"])
        assert saved["ahead_ms"].shape == (8,)
    assert tokens[0].shape == (4, 8)
    assert np.array_equal(*tokens)


def test_equal_tokens_are_right_and_times_are_medians_of_the_later_half_and_of_rounds(setup: tp_decode.Setup) -> None:
    save(setup, "on", [1, 2])
    noted = checks()
    noted.run("on", setup, [tp_decode.Ended(0, "", 1.0)], np.array([1, 2]))
    assert noted.wrong == []
    assert noted.results == {"setup": {"jax": "0"}, "on": {"step_ms": 2.0, "ahead_ms": 1.0, "tokens_equal": True}}


def test_other_tokens_are_wrong(setup: tp_decode.Setup) -> None:
    save(setup, "on", [1, 3])
    noted = checks()
    noted.run("on", setup, [tp_decode.Ended(0, "", 1.0)], np.array([1, 2]))
    assert noted.wrong == ["on: tokens differ from the CPU backend's"]


def test_a_rank_that_fails_or_never_ends_is_wrong_and_shown(setup: tp_decode.Setup) -> None:
    noted = checks()
    noted.run("on", setup, [tp_decode.Ended(3, "why it failed", 1.0), tp_decode.Ended(None, "so far", 60.0)], None)
    (wrong,) = noted.wrong
    assert "rank 0: status 3\nwhy it failed" in wrong
    assert "rank 1: no end after 60 s\nso far" in wrong
    assert "on" not in noted.results


def test_the_only_process_s_reports_are_counted(tmp_path: pathlib.Path) -> None:
    (tmp_path / "0000.jit_step.cuda.report.json").write_text(json.dumps({"all_reduces": [{"verdict": "fused"}]}))
    assert tp_decode.count_verdicts(tmp_path) == {"fused": 1}


def test_only_one_ranks_reports_are_counted(tmp_path: pathlib.Path) -> None:
    for process in (0, 1):
        report = {"all_reduces": [{"verdict": "fused"}, {"verdict": "kept"}]}
        (tmp_path / f"0000.jit_step.cuda.process{process}.report.json").write_text(json.dumps(report))
    assert tp_decode.count_verdicts(tmp_path) == {"fused": 1, "kept": 1}


def test_no_rank_dies_where_the_others_might_wait_for_it_in_nccl(
    setup: tp_decode.Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launched(*_: object, **__: object) -> list[tp_decode.Ended]:
        raise AssertionError("a rank would die")

    monkeypatch.setattr(tp_decode, "run_ranks", launched)
    noted = checks()
    noted.results["verdicts"] = {"fused": 5, "kept": 1}
    tp_decode.check_deadline(setup, noted)
    assert noted.wrong == []
    assert noted.results["deadline"] == "not tried: NCCL, which waits without end, still has 1 of the all-reduces"
    noted.results["verdicts"] = {"fused": 5}
    with pytest.raises(AssertionError, match="a rank would die"):
        tp_decode.check_deadline(setup, noted)


def test_the_page_shows_what_the_results_say() -> None:
    command = [sys.executable, "tools/fill_gpu.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_results_are_of_runs_in_which_nothing_was_wrong() -> None:
    results = [json.loads(path.read_text()) for path in (REPOSITORY / "benchmarks" / "results").glob("decode-*.json")]
    assert results
    assert [result["wrong"] for result in results] == [[]] * len(results)


@pytest.mark.parametrize(
    ("gpus", "visible", "expected"),
    [
        ("one", "", ["0", "0"]),
        ("one", "3,4", ["3", "3"]),
        ("each", "", ["0", "1"]),
        ("each", "3,4,5", ["3", "4"]),
        ("together", "", ["0,1"]),
        ("together", "GPU-a,GPU-b", ["GPU-a,GPU-b"]),
    ],
)
def test_every_process_sees_the_gpus_of_its_ranks(
    setup: tp_decode.Setup, gpus: str, visible: str, expected: list[str]
) -> None:
    assert fleet.visible_gpus(setup.ranks, gpus, visible) == expected


def test_fewer_gpus_than_ranks_are_refused(setup: tp_decode.Setup) -> None:
    with pytest.raises(ValueError, match="2 ranks take a GPU each; CUDA_VISIBLE_DEVICES names 1: 3"):
        fleet.visible_gpus(setup.ranks, "each", "3")


@pytest.mark.parametrize(("gpus", "processes"), [("one", 2), ("each", 2), ("together", 1)])
def test_ranks_of_one_process_need_no_coordinator(
    setup: tp_decode.Setup, monkeypatch: pytest.MonkeyPatch, gpus: str, processes: int
) -> None:
    worker = setup.folder / "says.py"
    worker.write_text(
        "import json, os, sys\n"
        "job = json.loads(sys.argv[1])\n"
        "several = 'NCCL_MULTI_RANK_GPU_ENABLE' in os.environ\n"
        "print(job['rank'], bool(job['coordinator']), os.environ['CUDA_VISIBLE_DEVICES'], several)\n"
    )
    monkeypatch.setattr(tp_decode, "WORKER", worker)
    for variable in ("CUDA_VISIBLE_DEVICES", "NCCL_MULTI_RANK_GPU_ENABLE"):
        monkeypatch.delenv(variable, raising=False)
    ended = tp_decode.run_ranks(dataclasses.replace(setup, gpus=gpus), "on", {})
    visible = {"one": ["0", "0"], "each": ["0", "1"], "together": ["0,1"]}[gpus]
    expected = [f"{rank} {processes > 1} {seen} {gpus == 'one'}" for rank, seen in enumerate(visible)]
    assert [one.printed.strip() for one in ended] == expected


def test_a_process_that_does_not_end_is_ended_at_the_limit(
    setup: tp_decode.Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = setup.folder / "sleeps.py"
    worker.write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    monkeypatch.setattr(tp_decode, "WORKER", worker)
    short = tp_decode.Setup(setup.ranks, setup.steps, setup.model, setup.folder, limit_s=1.0)
    ended = tp_decode.run_ranks(short, "on", {})
    assert [one.status for one in ended] == [None, None]
    assert all("here" in one.printed for one in ended)
