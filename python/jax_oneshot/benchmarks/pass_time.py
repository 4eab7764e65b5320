# SPDX-License-Identifier: Apache-2.0
"""Measures how long the pass takes on modules of growing size."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from jax_oneshot import hlo_worker, native
from jax_oneshot.benchmarks.layers_hlo import repeated_layers
from jax_oneshot.message_limits import XLA_COMBINES, default_limits, default_two_shot_from

RUNS_PER_ROUND = 10
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)


@dataclasses.dataclass(frozen=True)
class PassTime:
    """Attributes: instructions in the module; all-reduces fused; minimum CPU milliseconds of the pass on it.

    The pass is deterministic and single-threaded and never blocks, so anything above the minimum is noise of the
    machine: CPU time excludes its other processes, and the minimum of many runs excludes other tenants, which doubled
    the median now and then (2 cores of a shared AMD EPYC, 25 November 2026).
    """

    instructions: int
    fused: int
    pass_ms: float

    @property
    def ms_per_10k(self) -> float:
        """Milliseconds per 10 000 instructions."""
        return self.pass_ms * 1e4 / self.instructions


def measure(rounds: int, progress: Callable[[str], None]) -> list[PassTime]:
    """Times the pass on each of SIZES, in turn: RUNS_PER_ROUND runs each, `rounds` times.

    Raises:
      NativeMissingError: the native module does not load.
    """
    modules = {}
    for size in SIZES:
        progress(f"pass: making a module of {size} instructions")
        modules[size] = hlo_worker.convert(repeated_layers(size).encode(), "to-proto")
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    reports = {}
    for number in range(rounds):
        for size, module in modules.items():
            progress(f"pass: timing {size} instructions, round {number + 1} of {rounds}")
            for _ in range(RUNS_PER_ROUND):
                milliseconds, reports[size] = _run_once(module)
                times[size].append(milliseconds)
    return [
        PassTime(
            instructions=report["instructions"],
            fused=sum(one["verdict"] == "fused" for one in report["all_reduces"]),
            pass_ms=min(times[size]),
        )
        for size, report in reports.items()
    ]


def _run_once(module: bytes) -> tuple[float, Mapping[str, Any]]:
    """(CPU milliseconds, the report)."""
    run_pass = native.load().run_pass
    start = time.thread_time()
    run = run_pass(
        module,
        platform="cuda",
        max_bytes=default_limits("cuda"),
        two_shot_from=default_two_shot_from("cuda"),
        timeout_ms=30_000,
        single_process=True,
        combine=XLA_COMBINES,
    )
    return (time.thread_time() - start) * 1e3, run.report
