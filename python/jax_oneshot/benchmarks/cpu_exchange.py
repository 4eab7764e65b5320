# SPDX-License-Identifier: Apache-2.0
"""Measures all-reduce + residual + RMSNorm on 8 CPU devices, fused against XLA:CPU's own, per shape.

Two processes run the same chain (chain.py), one with JAX_ONESHOT off and one with it on. They alternate, so that both
see the same load.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Callable

from jax_oneshot.demo.compare import Worker, WorkerError, cpu_environment

ROWS = (1, 8, 64)
WIDTHS = (512, 4096, 8192)
_COMMAND = [sys.executable, "-m", "jax_oneshot.benchmarks.chain"]
_CALLS = 3  # per turn
_NOT_AS_MEANT = (
    "bf16[{rows},{width}]: expected {expected} one-shot calls in the program, found {one_shot_calls}. Is jax-oneshot "
    "installed where this Python looks (`pip show jax-oneshot`), and does its native module load?"
)


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Attributes: the shape; median microseconds of one all-reduce, residual add and RMSNorm by XLA, and fused."""

    rows: int
    width: int
    xla_us: float
    fused_us: float

    @property
    def name(self) -> str:
        """The shape's key in the results."""
        return f"{self.rows}x{self.width}"

    @property
    def ratio(self) -> float:
        """How many times faster than XLA's own."""
        return self.xla_us / self.fused_us


def measure(rounds: int, progress: Callable[[str], None]) -> list[Exchange]:
    """Times every shape; off and on take `rounds` turns each. Raises WorkerError if a process fails."""
    with Worker(_COMMAND, cpu_environment(False)) as off, Worker(_COMMAND, cpu_environment(True)) as on:
        for worker in (off, on):
            worker.answer()
        return [_measure_one(off, on, rows, width, rounds, progress) for rows in ROWS for width in WIDTHS]


def _measure_one(
    off: Worker, on: Worker, rows: int, width: int, rounds: int, progress: Callable[[str], None]
) -> Exchange:
    times: dict[Worker, list[float]] = {off: [], on: []}
    for number in range(rounds):
        progress(f"cpu: bf16[{rows},{width}], round {number + 1} of {rounds}")
        for worker, calls in ((off, 0), (on, 1)):
            answer = worker.ask(rows=rows, width=width, calls=_CALLS)
            if answer["one_shot_calls"] != calls:
                raise WorkerError(_NOT_AS_MEANT.format(rows=rows, width=width, expected=calls, **answer))
            times[worker] += answer["us"]
    return Exchange(rows, width, statistics.median(times[off]), statistics.median(times[on]))
