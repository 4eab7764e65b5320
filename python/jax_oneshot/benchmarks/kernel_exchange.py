# SPDX-License-Identifier: Apache-2.0
"""Measures an all-reduce and its epilogue on this machine's GPUs, per number of ranks and shape.

All ranks share one GPU, or have one each. A separate process (kernel_worker.py) measures, because a kernel that hangs
takes down the process that launched it; this file turns its answers into `Exchange`s, and those into ratios.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import platform
import statistics
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax_oneshot
from jax_oneshot.demo.compare import Worker, WorkerError

RANKS = (2, 4, 8)
ROWS = (1, 8, 16, 32, 64)
WIDTHS = (3584, 4096, 8192)
LINKS = 32  # calls in a chain, which amortise the cost of starting it
TURNS = 10  # of every method, per round
METHODS = {
    "fused": "all-reduce + residual + RMSNorm in one kernel",
    "two_kernels": "the same as two kernels: plain all-reduce, then residual + RMSNorm",
    "two_kernels_pdl": "two_kernels, the second kernel launched early too (programmatic dependent launch)",
    "three_kernels": "the same as three kernels: plain all-reduce, residual, RMSNorm",
    "plain": "the all-reduce alone",
    "two_shot": "fused, by two shots: each word to its owner, its sum to all",
    "two_shot_plain": "the all-reduce alone, by two shots",
    "push_poll": "the floor: 16 bytes from each rank to each",
    "push_poll_pdl": "the floor, launched early as the one-shot kernels are",
    "empty": "a kernel that does nothing",
    "empty_pdl": "a kernel that does nothing, launched early",
    "sharded": "fused, with each rank's columns of gamma gathered in the same exchange",
    "sharded_collectives": "the same as GSPMD writes it: two all-reduces, an all-gather, two kernels between",
    "nccl": "NCCL's all-reduce alone",
    "nccl_two_kernels": "NCCL's all-reduce, then residual + RMSNorm in one kernel",
    "nccl_three_kernels": "NCCL's all-reduce, then residual and RMSNorm as two kernels",
}
# ratio in the results: (its numerator, its denominator)
RATIOS = {
    "fused_vs_unfused": ("fused", "two_kernels"),
    "fused_vs_unfused_pdl": ("fused", "two_kernels_pdl"),
    "fused_vs_three_kernels": ("fused", "three_kernels"),
    "fused_vs_plain": ("fused", "plain"),
    "plain_vs_floor": ("plain", "push_poll"),
    "plain_vs_floor_pdl": ("plain", "push_poll_pdl"),
    "fused_vs_best_public": ("fused", "public"),
    "sharded_vs_collectives": ("sharded", "sharded_collectives"),
    "fused_vs_nccl": ("fused", "nccl_two_kernels"),
    "plain_vs_nccl": ("plain", "nccl"),
    "two_shot_vs_one_shot": ("two_shot", "fused"),
    "ours_vs_best_public": ("ours", "public"),
    "ours_vs_nccl": ("ours", "nccl_two_kernels"),
}
GPUS = ("one", "each")  # for all ranks; for each rank
_COMMAND = [sys.executable, "-m", "jax_oneshot.benchmarks.kernel_worker"]
_DEADLINE_S = 60.0  # for one shape, which takes a second or two


@dataclasses.dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
      gpus: "one" for all ranks, or "each" rank has one.
      competitors: libraries of public kernels (ffi_kernels/cuda/bench/competitor.h).
      ranks: numbers of ranks; None: those of RANKS for which there are GPUs.
      shapes: (rows, width) of each message.
      nccl: whether to measure NCCL if each rank has a GPU.
      methods: of METHODS; none: all. Competitors are always measured.
    """

    gpus: str = "one"
    competitors: Sequence[str] = ()
    ranks: Sequence[int] | None = None
    shapes: Sequence[tuple[int, int]] = tuple(itertools.product(ROWS, WIDTHS))
    nccl: bool = True
    methods: Sequence[str] = ()

    def extents(self, most_ranks: int) -> list[tuple[int, int, int]]:
        """(ranks, rows, width) of each measurement, on GPUs that fit `most_ranks`."""
        ranks = self.ranks or [number for number in RANKS if number <= most_ranks]
        return [(number, *shape) for number in ranks for shape in self.shapes]


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One number of ranks and one shape.

    Attributes:
      us: median microseconds of one call by method; absent: not measured here.
      public_us: the same for competitors' kernels, by name.
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
        """Microseconds of a method; "public": the fastest public kernel; "ours": the faster of one shot and two."""
        if method == "public":
            return min(self.public_us.values(), default=None)
        if method == "ours":
            return min((self.us[name] for name in ("fused", "two_shot") if name in self.us), default=None)
        return self.us.get(method)

    def ratio(self, name: str) -> float | None:
        """A ratio of RATIOS, or None if one of its sides was not measured."""
        above, below = (self.time(method) for method in RATIOS[name])
        return None if above is None or below is None else above / below


def measure(
    request: Request, rounds: int, progress: Callable[[str], None], *, command: Sequence[str] = _COMMAND
) -> tuple[dict[str, Any], list[Exchange]]:
    """Measures every shape.

    Args:
      request: what to measure.
      rounds: each is TURNS turns of every method; the methods of a shape take turns.
      progress: called with the current step.
      command: of the process that measures.

    Returns:
      The device (see kernel_worker.py), and the measurements.

    Raises:
      WorkerError: the process failed, a result was wrong, or a kernel hung.
    """
    exchanges = []
    with Worker(command, worker_environment(os.environ)) as worker:
        progress("kernel: starting on the GPU")
        asked = {"competitors": list(request.competitors), "gpus": request.gpus, "nccl": request.nccl}
        asked["methods"] = list(request.methods)
        device = _checked(worker.ask(**asked))
        extents = request.extents(device["most_ranks"])
        for number, (ranks, rows, width) in enumerate(extents, 1):
            progress(f"kernel: {ranks} ranks, bf16[{rows},{width}] ({number} of {len(extents)})")
            exchanges.append(_measure_one(worker, ranks, rows, width, rounds * TURNS))
    return device, exchanges


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables to set for the process that measures, on top of `environ`."""
    return {
        "CUDA_DEVICE_MAX_CONNECTIONS": "32",  # a queue for every rank's stream
        # NCCL without multicast: some machines do not allow a process to use it, and NCCL then fails to start.
        "NCCL_NVLS_ENABLE": environ.get("NCCL_NVLS_ENABLE", "0"),
    }


def ratios(exchanges: Sequence[Exchange]) -> dict[str, dict[str, dict[str, float]]]:
    """Ratio -> ranks -> shape -> value; ratios without measurements are absent."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for name, exchange in itertools.product(RATIOS, exchanges):
        value = exchange.ratio(name)
        if value is not None:
            out.setdefault(name, {}).setdefault(str(exchange.ranks), {})[exchange.name] = round(value, 3)
    return out


def details(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """Microseconds by ranks, shape and method; public kernels under a key of their own, kept by a run without them."""
    public = _by_ranks(exchanges, lambda one: {name: round(us, 3) for name, us in one.public_us.items()})
    return {
        "kernel_us": _by_ranks(exchanges, lambda one: {name: round(us, 3) for name, us in one.us.items()}),
        **({"public_us": public} if any(one.public_us for one in exchanges) else {}),
        "kernel_skipped": _by_ranks(exchanges, lambda one: one.skipped),
    }


def stamp(device: dict[str, Any], gpus: str) -> dict[str, dict[str, Any]]:
    """Machine and versions, for results.merge. `gpus`: of the request."""
    return {
        "where": {
            **{name: device[name] for name in ("gpu", "multiprocessors", "arch")},
            **({"gpus": gpus, "gpu_count": device["gpus"]} if gpus == "each" else {}),
            "system": platform.system(),
            "machine": platform.machine(),
        },
        "what": {
            "jax_oneshot": jax_oneshot.__version__,
            "driver": device["driver"],
            "nvrtc": device["nvrtc"],
            **({"nccl": device["nccl"]} if device["nccl"] else {}),
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
    """(ranks, the exchanges with that number of ranks), for tables."""
    for ranks, members in itertools.groupby(exchanges, key=lambda one: one.ranks):
        yield ranks, list(members)
