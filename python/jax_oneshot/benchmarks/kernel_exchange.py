"""In: nothing. Out: one all-reduce with what is behind it on this machine's GPU, per number of ranks and shape.

All ranks live on the one device. A process (kernel_worker.py) measures, because a kernel that waits for ever takes the
process with it that launched it; here its answers become `Exchange`s, and those become ratios.
"""

from __future__ import annotations

import dataclasses
import itertools
import platform
import statistics
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax_oneshot
from jax_oneshot.demo.compare import Worker, WorkerError

RANKS = (2, 4, 8)
ROWS = (1, 8, 16, 32, 64)
WIDTHS = (3584, 4096, 8192)
LINKS = 32  # calls in a chain: what a chain's start costs is shared by all of them
TURNS = 10  # of every method, per round
METHODS = {
    "fused": "all-reduce + residual + RMSNorm in one kernel",
    "apart": "the same as two kernels: plain all-reduce, then residual + RMSNorm",
    "three": "the same as three kernels: plain all-reduce, residual, RMSNorm",
    "plain": "the all-reduce alone",
    "push_poll": "the floor: 16 bytes from each rank to each",
    "empty": "a kernel that does nothing",
    "sharded": "fused, with each rank's columns of gamma gathered in the same exchange",
    "sharded_apart": "the same as GSPMD has it: all-reduce, all-reduce of [rows,1], all-gather, two kernels between",
}
# ratio in the results: (its numerator, its denominator)
RATIOS = {
    "fused_vs_unfused": ("fused", "apart"),
    "fused_vs_three_kernels": ("fused", "three"),
    "fused_vs_plain": ("fused", "plain"),
    "plain_vs_floor": ("plain", "push_poll"),
    "fused_vs_best_public": ("fused", "public"),
    "sharded_vs_collectives": ("sharded", "sharded_apart"),
}
_COMMAND = [sys.executable, "-m", "jax_oneshot.benchmarks.kernel_worker"]
_DEADLINE_S = 60.0  # for one shape, which takes a second or two


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One number of ranks and one shape.

    Attributes:
      us: median microseconds of one call by method; absent: not measured here.
      public_us: the same for other people's kernels, by their names.
      skipped: why a method or a public kernel was not measured.
    """

    ranks: int
    rows: int
    width: int
    us: dict[str, float]
    public_us: dict[str, float]
    skipped: dict[str, str]

    @property
    def name(self) -> str:
        """The shape's key in the results."""
        return f"{self.rows}x{self.width}"

    def time(self, method: str) -> float | None:
        """Microseconds of a method; of "public": the fastest public kernel."""
        if method == "public":
            return min(self.public_us.values(), default=None)
        return self.us.get(method)

    def ratio(self, name: str) -> float | None:
        """A ratio of RATIOS, or None where one of its sides was not measured."""
        above, below = (self.time(method) for method in RATIOS[name])
        return None if above is None or below is None else above / below


def measure(
    rounds: int,
    competitors: Sequence[str],
    progress: Callable[[str], None],
    *,
    command: Sequence[str] = _COMMAND,
    shapes: Sequence[tuple[int, int, int]] = tuple(itertools.product(RANKS, ROWS, WIDTHS)),
) -> tuple[dict[str, Any], list[Exchange]]:
    """Measures every shape.

    Args:
      rounds: TURNS turns of every method each; the methods of a shape take turns.
      competitors: libraries of public kernels (ffi_kernels/cuda/bench/competitor.h).
      progress: told what is being done.
      command: of the process that measures.
      shapes: (ranks, rows, width) of each.

    Returns:
      The device, and what was measured.

    Raises:
      WorkerError: the process failed, a result was wrong, or a kernel did not end.
    """
    exchanges = []
    with Worker(command, {"CUDA_DEVICE_MAX_CONNECTIONS": "32"}) as worker:
        progress("kernel: starting on the GPU")
        device = _checked(worker.ask(competitors=list(competitors)))
        for number, (ranks, rows, width) in enumerate(shapes, 1):
            progress(f"kernel: {ranks} ranks, bf16[{rows},{width}] ({number} of {len(shapes)})")
            exchanges.append(_measure_one(worker, ranks, rows, width, rounds * TURNS))
    return device, exchanges


def ratios(exchanges: Sequence[Exchange]) -> dict[str, dict[str, dict[str, float]]]:
    """Ratio -> ranks -> shape -> value; a ratio of which nothing was measured is absent."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for name, exchange in itertools.product(RATIOS, exchanges):
        value = exchange.ratio(name)
        if value is not None:
            out.setdefault(name, {}).setdefault(str(exchange.ranks), {})[exchange.name] = round(value, 3)
    return out


def details(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """Microseconds by ranks, shape and method; public kernels apart, so that a run without them leaves theirs."""
    public = _by_ranks(exchanges, lambda one: {name: round(us, 3) for name, us in one.public_us.items()})
    return {
        "kernel_us": _by_ranks(exchanges, lambda one: {name: round(us, 3) for name, us in one.us.items()}),
        **({"public_us": public} if any(one.public_us for one in exchanges) else {}),
        "kernel_skipped": _by_ranks(exchanges, lambda one: one.skipped),
    }


def stamp(device: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the figures depend on, for results.merge."""
    return {
        "where": {
            **{name: device[name] for name in ("gpu", "multiprocessors", "arch")},
            "system": platform.system(),
            "machine": platform.machine(),
        },
        "what": {
            "jax_oneshot": jax_oneshot.__version__,
            "driver": device["driver"],
            "nvrtc": device["nvrtc"],
        },
    }


def _by_ranks(exchanges: Sequence[Exchange], content: Callable[[Exchange], dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for one in exchanges:
        if content(one):
            out.setdefault(str(one.ranks), {})[one.name] = content(one)
    return out


def _measure_one(worker: Worker, ranks: int, rows: int, width: int, turns: int) -> Exchange:
    timer = threading.Timer(_DEADLINE_S, worker.end)
    timer.start()
    try:
        answer = _checked(worker.ask(ranks=ranks, rows=rows, width=width, links=LINKS, turns=turns))
    except WorkerError as error:
        limit = "" if timer.is_alive() else f" (ended here after {_DEADLINE_S:.0f} s)"
        raise WorkerError(f"{ranks} ranks, bf16[{rows},{width}]{limit}: {error}") from error
    finally:
        timer.cancel()
    own, public = ({name: _median(us) for name, us in answer[key].items()} for key in ("us", "public_us"))
    return Exchange(ranks, rows, width, own, public, answer["skipped"])


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise WorkerError(answer["error"])
    return answer


def _median(times: Sequence[float]) -> float:
    return statistics.median(times)


def groups(exchanges: Sequence[Exchange]) -> Iterator[tuple[int, list[Exchange]]]:
    """(ranks, its exchanges), for tables."""
    for ranks, members in itertools.groupby(exchanges, key=lambda one: one.ranks):
        yield ranks, list(members)
