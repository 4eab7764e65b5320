# SPDX-License-Identifier: Apache-2.0
"""Every pattern that the pass fuses, computed with the pass on, with it off, and in float64 on the host.

The baseline is the error without the pass or that of the pattern with every value rounded to its declared type,
whichever is larger: XLA:CPU sometimes omits roundings that the module asks for (fusions that YNNPACK runs do), the pass
never does. The root mean square of the errors with the pass on is at most the baseline's (RMS_SLACK allows for noise),
and no element's error exceeds the baseline's maximum by more than two roundings to the output's type (each half a unit
in the last place at that element): a row sum or an rsqrt that is rounded the other way moves a whole row, and which
row is the worst is luck. All ranks of a group must hold the same bits. The report must say that each case was
rewritten as expected.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import pathlib
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from jax_process import RunPython
from numerics_patterns import PATTERNS, Case
from numerics_sharded import all_cases

WORKER = pathlib.Path(__file__).with_name("numerics_worker.py")
RMS_SLACK = 1.001  # over 334 outputs the ratio is 0.953 in the median, 1 at most (27 November 2026, CPU)
# Five of 611 outputs exceed the baseline's maximum, four by at most 0.8 roundings and one by 1.26 (same day).
ROUNDINGS = 2
Outputs = dict[str, list[np.ndarray[Any, Any]]]


@dataclasses.dataclass(frozen=True)
class Run:
    """One process: the outputs of each case, as [ranks, ...], and the tracebacks of those that failed."""

    outputs: Outputs
    failures: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Runs:
    """All cases off and on, and the pass's report on each."""

    off: Run
    on: Run
    reports: dict[str, dict[str, Any]]


def run_worker(run_python: RunPython, path: pathlib.Path, env: dict[str, str]) -> Run:
    failures = run_python([str(WORKER), str(path)], env=env, timeout_s=600).json()
    outputs: Outputs = {}
    with np.load(path) as file:
        for key in file.files:
            name, _, dtype = key.split("/")
            outputs.setdefault(name, []).append(file[key].view(np.dtype(dtype)))
    return Run(outputs, failures)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("numerics")
    dumps = folder / "dumps"
    on = {"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(dumps), "JAX_ONESHOT_MAX_BYTES": str(1 << 30)}
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        run_python = RunPython(folder)
        results = [
            both.submit(run_worker, run_python, folder / f"{name}.npz", env) for name, env in (("off", {}), ("on", on))
        ]
        off, on_run = (result.result() for result in results)
    reports = [json.loads(path.read_text()) for path in dumps.glob("*.report.json")]
    return Runs(off, on_run, {report["module"].removeprefix("jit_"): report for report in reports})


def one_rounding(expected: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Half the distance of neighbours in `dtype` near `expected`, the largest error of rounding to it."""
    info = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
    exponent = np.frexp(np.maximum(np.abs(expected), float(info.smallest_normal)))[1] - 1
    return float(info.eps) / 2 * np.exp2(exponent)


def error(got: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Absolute error of each element; zero where both are the same infinity or both NaN."""
    wide = got.astype(np.float64)
    same = (wide == expected) | (np.isnan(wide) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.abs(wide - expected))


@pytest.fixture(params=list(all_cases().values()), ids=list(all_cases()))
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


def test_the_pass_rewrote_it_as_expected(case: Case, runs: Runs) -> None:
    report, pattern = runs.reports[case.name], PATTERNS[case.pattern]
    assert report["all_reduces"], "the module holds no all-reduce"
    for verdict in report["all_reduces"]:
        if verdict["group_size"] > 1:
            assert verdict["verdict"] == case.verdict, verdict["reason"]
    assert report["collectives_after"] == pattern.calls


def root_mean_square(x: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt(np.nanmean(np.square(np.where(np.isinf(x), np.nan, x)))))


def test_the_error_is_that_of_xla_or_of_the_declared_types(case: Case, runs: Runs) -> None:
    for run in (runs.off, runs.on):
        assert case.name not in run.failures, run.failures[case.name]
    outputs = runs.off.outputs[case.name], runs.on.outputs[case.name], case.expected(), case.as_declared()
    for index, (off, on, exact, declared) in enumerate(zip(*outputs, strict=True)):
        expected = np.broadcast_to(exact, on.shape)
        errors = error(off, expected), error(np.broadcast_to(declared, on.shape), expected)
        if on.size >= 10_000:
            assert root_mean_square(error(on, expected)) <= RMS_SLACK * max(map(root_mean_square, errors))
        allowed = max(np.nanmax(np.where(np.isinf(e), np.nan, e)) for e in errors) + ROUNDINGS * one_rounding(
            expected, on.dtype
        )
        excess = error(on, expected) - allowed
        worst = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), on.shape)
        beyond = int((~(excess <= 0)).sum())
        assert beyond == 0, (
            f"output {index} at {worst}: {on[worst]} with the pass, {off[worst]} without, {expected[worst]} exactly; "
            f"allowed error {allowed[worst]}, {beyond} elements of {on.size} exceed it"
        )


def test_the_ranks_of_a_group_hold_the_same_bits(case: Case, runs: Runs) -> None:
    if PATTERNS[case.pattern].output_varies:
        pytest.skip("each rank has a result of its own")
    for on in runs.on.outputs[case.name]:
        groups = on.reshape(*case.mesh, -1).view(np.uint8)
        assert (groups == groups[:, :1]).all()
