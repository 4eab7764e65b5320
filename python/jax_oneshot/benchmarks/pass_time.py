"""In: nothing. Out: how long the pass takes on modules of growing size, and how much of a real compile that is."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

from jax_oneshot import hlo_worker, native
from jax_oneshot.benchmarks.layers_hlo import repeated_layers
from jax_oneshot.message_limits import default_limits

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)


@dataclasses.dataclass(frozen=True)
class PassTime:
    """Attributes: instructions in the module; all-reduces fused; median CPU milliseconds of the pass on it.

    CPU time, because the pass is one thread that waits for nothing: so a busy machine does not count.
    """

    instructions: int
    fused: int
    pass_ms: float

    @property
    def ms_per_10k(self) -> float:
        """Milliseconds per 10 000 instructions."""
        return self.pass_ms * 1e4 / self.instructions


def measure(rounds: int, progress: Callable[[str], None]) -> list[PassTime]:
    """Times the pass on each of SIZES; `rounds` runs each."""
    return [_measure_one(size, rounds, progress) for size in SIZES]


def _measure_one(size: int, rounds: int, progress: Callable[[str], None]) -> PassTime:
    progress(f"pass: making a module of {size} instructions")
    module = hlo_worker.convert(repeated_layers(size).encode(), "to-proto")
    progress(f"pass: timing {size} instructions")
    run_pass = native.load().run_pass
    times: list[float] = []
    for _ in range(rounds):
        start = time.thread_time()
        run = run_pass(
            module,
            platform="cuda",
            max_bytes=default_limits("cuda"),
            timeout_ms=30_000,
            single_process=True,
            keep_all_reason="",
        )
        times.append((time.thread_time() - start) * 1e3)
    verdicts = [entry["verdict"] for entry in run.report["all_reduces"]]
    return PassTime(run.report["instructions"], verdicts.count("fused"), statistics.median(times))
