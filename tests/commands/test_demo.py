# SPDX-License-Identifier: Apache-2.0
"""The demo command end to end, its flags, and how it detects a difference."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from jax_oneshot.demo import compare
from jax_oneshot.demo.models import ModelConfig

TINY = ModelConfig(layers=1, hidden=128, ffn=128, head_dim=8, vocab=256, batch=2, max_len=8)


def run_demo(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jax_oneshot", "demo", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def small_demo(*flags: str) -> subprocess.CompletedProcess[str]:
    sizes = ("--variant", "llama", "--layers", "1", "--hidden", "128", "--steps", "4", "--rounds", "1")
    return run_demo(*sizes, "--no-gpu", *flags)


def test_the_table_fits_80_columns_and_says_what_was_fused() -> None:
    done = small_demo()
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    (row,) = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("llama")]
    assert row[:5] == ["llama", "3", "3", "0", "0"]
    assert row[6] == "yes"
    assert float(row[8]) > 0
    assert float(row[9]) > 0
    assert re.fullmatch(r"\d+\.\d\dx", row[10])
    assert "llama (1 of 1)" in done.stderr  # progress is printed without a terminal too


def test_norm_weights_can_be_split_too() -> None:
    done = small_demo("--shard-norms")
    assert done.returncode == 0, done.stderr
    (row,) = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("llama-sharded")]
    assert int(row[1]) == int(row[2]) > 3, "the row sums' all-reduces are counted, and all are fused"
    assert row[6] == "yes"


def test_json_holds_the_figures_and_the_reports(tmp_path: pathlib.Path) -> None:
    done = small_demo("--json", "--dump", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["cpu"]
    assert run["tokens_equal"] is True
    assert run["verdicts"] == {"fused": 3, "plain": 0, "kept": 0}
    assert run["ratio"] == pytest.approx(run["off_ms"] / run["on_ms"])
    (dumped,) = tmp_path.glob("*.report.json")
    assert dumped.name == "0000.jit_llama_step.cpu.report.json"
    assert json.loads(dumped.read_text()) == run["reports"][0]


def test_the_report_of_all_modules_is_written_and_named(tmp_path: pathlib.Path) -> None:
    done = small_demo("--variant", "gpt2-scan", "--dump", str(tmp_path))
    assert f"Report: {tmp_path}/report.html" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert "jit_llama_step" in page
    assert "jit_gpt2_scan_step" in page
    assert len(list(tmp_path.glob("*.before.hlo.txt"))) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--hidden", "100"), "expected a multiple of 8, the number of devices, got 100"),
        (("--layers", "0"), "expected a whole number above 0, got 0"),
        (("--steps", "1000"), "expected at most"),
        (("--variant", "bloom"), "invalid choice: 'bloom'"),
    ],
)
def test_a_flag_that_cannot_be_used_is_refused_with_what_was_expected(flags: tuple[str, ...], message: str) -> None:
    done = run_demo(*flags)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_decoder_process_that_dies_is_shown_with_what_it_printed() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no model today')"]
    with pytest.raises(compare.WorkerError, match="no model today"):
        compare.compare("dead", command, steps=1, rounds=0)


def test_a_process_that_is_gone_before_it_is_asked_is_told_with_what_it_printed() -> None:
    """Its pipe is broken both when the request is sent and when the worker is closed."""
    gone = [sys.executable, "-c", "import sys; print('no such device', file=sys.stderr)"]
    with compare.Worker(gone, {}) as worker:
        worker._process.wait()
        with pytest.raises(compare.WorkerError, match="no such device"):
            worker.ask(do="nothing")


def test_a_differing_token_is_found_at_its_step_and_later_logits_do_not_count() -> None:
    off = np.array([[[9.0, 1.0]], [[9.0, 1.0]], [[9.0, 1.0]]])
    on = np.array([[[9.0, 1.5]], [[1.0, 2.0]], [[0.0, 99.0]]])
    runs = [{"tokens": logits.argmax(-1), "logits": logits} for logits in (off, on)]
    assert compare.logit_difference(*runs) == (1, 8.0, 8.0)


def test_equal_runs_have_no_first_difference() -> None:
    run = {"tokens": np.array([[1], [0]]), "logits": np.array([[[0.0, 3.0]], [[5.0, 1.0]]])}
    assert compare.logit_difference(run, run) == (None, 0.0, 3.0)


def test_the_model_knows_nothing_of_jax_oneshot() -> None:
    script = "import sys, jax_oneshot.demo.models; print([m for m in sys.modules if m.startswith('jax_oneshot')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['jax_oneshot', 'jax_oneshot.demo', 'jax_oneshot.demo.models']"


def test_off_and_on_differ_in_our_variables_alone() -> None:
    off, on = compare.cpu_environment(False), compare.cpu_environment(True)
    assert {name for name in off if off[name] != on[name]} == {"JAX_ONESHOT"}


def test_the_worker_gets_the_sizes_it_was_asked_for() -> None:
    sizes = json.loads(compare.worker_command(TINY)[-1])
    assert ModelConfig(**sizes) == TINY
    assert dataclasses.replace(TINY, scan=True).name == "llama-scan"
