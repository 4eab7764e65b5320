# SPDX-License-Identifier: Apache-2.0
"""The bench: its results file, its module generator, and the cheap benchmarks from end to end."""

from __future__ import annotations

import json
import pathlib

import pytest
from jax_oneshot import hlo_worker, native
from jax_oneshot.benchmarks import results, start_up
from jax_oneshot.benchmarks.layers_hlo import repeated_layers
from jax_process import RunPython


@pytest.mark.parametrize("size", [1, 1_000, 5_000])
def test_a_repeated_module_has_the_size_asked_for_and_fuses_whole(size: int) -> None:
    module = hlo_worker.convert(repeated_layers(size).encode(), "to-proto")
    run = native.load().run_pass(module, platform="cuda", max_bytes=1 << 18, timeout_ms=1, single_process=True)
    assert size <= run.report["instructions"] < size + 150
    verdicts = [entry["verdict"] for entry in run.report["all_reduces"]]
    assert verdicts == ["fused"] * repeated_layers(size).count("all-reduce(")


def test_results_name_machine_versions_and_date(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "cpu.json"
    assert not results.merge(path, {"a": 1}, {"b": 2})
    written = json.loads(path.read_text())
    assert written["ratios"] == {"a": 1}
    assert written["details"] == {"b": 2}
    assert written["machine"]["cpu"]
    assert written["machine"]["cores"] > 0
    assert set(written["versions"]) == {"jax_oneshot", "jax", "jaxlib", "python"}
    assert len(written["date"]) == len("2026-01-31")


def test_new_figures_replace_those_of_the_same_name_only(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "cpu.json"
    results.merge(path, {"a": 1, "b": 2}, {})
    assert not results.merge(path, {"b": 3}, {})
    assert json.loads(path.read_text())["ratios"] == {"a": 1, "b": 3}


def test_figures_of_other_versions_are_dropped(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cpu.json"
    results.merge(path, {"a": 1}, {})
    monkeypatch.setattr(results, "versions", lambda: {"jax": "99"})
    assert results.merge(path, {"b": 2}, {})
    assert json.loads(path.read_text())["ratios"] == {"b": 2}


def test_a_file_that_holds_something_else_is_not_overwritten(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match="does not hold results of this benchmark; name another file with --out"):
        results.merge(path, {}, {})
    assert path.read_text() == "[1, 2]"


def test_the_import_costs_under_five_milliseconds_with_the_variable_unset() -> None:
    # The minimum of several, since other load can slow down any single process.
    assert min(start_up.measure(1) for _ in range(10)) < 5


def test_bench_prints_a_table_and_writes_its_file(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    done = run_python(["-m", "jax_oneshot", "bench", "import", "--rounds", "2", "--out", "out.json"])
    assert done.status == 0, done.stderr
    assert "Start-up cost with JAX_ONESHOT unset" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["ratios"]["import_ms"] > 0


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_number_of_rounds_that_is_none_is_refused(run_python: RunPython, rounds: str) -> None:
    done = run_python(["-m", "jax_oneshot", "bench", f"--rounds={rounds}"])
    assert done.status == 2
    assert f"expected a whole number above 0, got {rounds}" in done.stderr
