# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per step of one model, for each variant and each way of driving it.

The processes of all variants run at the same time and take turns, so that all see the same load. They compile one after
the other, since XLA's autotuner times kernels while it compiles.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_oneshot.benchmarks.decode import WAYS
from jax_oneshot.benchmarks.decode.fleet import Fleet, Layout
from jax_oneshot.benchmarks.decode.variants import Variant, plugin_version
from jax_oneshot.demo.compare import WorkerError, read_reports

_PROFILED_STEPS = 16
_FLOOR_ROUNDS = 3
_COLLECTIVE = "push_poll_pdl"  # kernel_exchange.METHODS: the floor, launched as our calls are


@dataclasses.dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
      model: fields of a ModelConfig.
      layout: where the ranks are.
      variants: off first.
      flags: XLA flags of every variant.
      donate: which of a step's buffers are donated to the next one, see worker.DONATIONS.
      rounds: turns of each variant.
      steps: of each way, per turn.
      profile: whether to profile where the time goes.
      limit_s: how long a process may take for one answer, in seconds.
    """

    model: Mapping[str, Any]
    layout: Layout
    variants: Sequence[Variant]
    flags: Sequence[str]
    donate: str
    rounds: int
    steps: int
    profile: bool
    limit_s: float


def measure(request: Request, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measures one model.

    Returns:
      "facts" of the devices, "model", "ranks", "place", "flags", "donate"; "failed": the reason, by variant;
      "variants": by name, "ms" per step (by way: "median", "low" and "high" of the "turns"), "profile" (by way, see
      trace.summary), "verdicts" and "graph_ends" of a step (if it is on), "seconds" (until ready, and to compile).

    Raises:
      WorkerError: the first variant failed, so there is no baseline.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        runs = {one.name: _Run(one, request, pathlib.Path(folder) / str(n)) for n, one in enumerate(request.variants)}
        for run in runs.values():
            run.start(stack)
        for step in ("start", "build"):
            for name, run in runs.items():
                progress(f"{name}: {step}")
                run.attempt(run.ready if step == "start" else run.build)
        _take_turns(request, list(runs.values()), progress)
        if request.profile:
            for name, run in runs.items():
                progress(f"{name}: where the time goes")
                run.attempt(run.look)
        first = next(iter(runs.values()))
        if first.failed:
            raise WorkerError(f"{first.variant.name}: {first.failed}")
        return {
            **subject(request.model, request.layout, request.flags, first.facts),
            "donate": request.donate,
            "variants": {name: run.result() for name, run in runs.items() if not run.failed},
            "failed": {name: run.failed for name, run in runs.items() if run.failed},
        }


def floor_us(layout: Layout, rows: int, width: int) -> float | None:
    """Microseconds of the smallest exchange, 16 bytes from each rank to each; None if it cannot be measured."""
    from jax_oneshot.benchmarks import kernel_exchange
    from jax_oneshot.native import NativeMissingError

    if layout.platform != "cuda":
        return None
    request = kernel_exchange.Request("each", ranks=[layout.ranks], shapes=[(rows, width)], nccl=False)
    try:
        _, exchanges = kernel_exchange.measure(request, _FLOOR_ROUNDS, lambda text: None)
    except (WorkerError, ValueError, NativeMissingError):
        return None
    return exchanges[0].us.get(_COLLECTIVE) if exchanges else None


def subject(model: Mapping[str, Any], layout: Layout, flags: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a result says of its subject: "facts" (a worker's own, with "xla"), "model", "ranks", "place", "flags"."""
    return {
        "facts": {**facts, "xla": _xla_version(layout, facts)},
        "model": dict(model),
        "ranks": layout.ranks,
        "place": layout.place,
        "flags": list(flags),
    }


def spread(turns: Sequence[float]) -> dict[str, Any]:
    """ "median", "low" and "high" of the times of some "turns"."""
    return {"median": statistics.median(turns), "low": min(turns), "high": max(turns), "turns": list(turns)}


def _xla_version(layout: Layout, facts: Mapping[str, Any]) -> str:
    """The version of the package that contains XLA: the CUDA plug-in's, which may differ from JAX's."""
    plugin = plugin_version() if layout.platform == "cuda" else None
    return ".".join(map(str, plugin)) if plugin else str(facts["jax"])


def _take_turns(request: Request, runs: Sequence[_Run], progress: Callable[[str], None]) -> None:
    for number in range(request.rounds):
        progress(f"round {number + 1} of {request.rounds}")
        for way in WAYS:
            for place in range(len(runs)):  # rotate which variant is first
                run = runs[(place + number) % len(runs)]
                run.attempt(functools.partial(run.time, way))


class _Run:
    """One variant: its processes and its measurements."""

    def __init__(self, variant: Variant, request: Request, dump: pathlib.Path) -> None:
        self.variant = variant
        self.failed = ""
        self.facts: dict[str, Any] = {}
        self._request = request
        self._dump = dump
        self._fleet: Fleet
        self._seconds: list[float] = []
        self._turns: dict[str, list[float]] = {way: [] for way in WAYS}
        self._profile: dict[str, Any] = {}

    def start(self, stack: contextlib.ExitStack) -> None:
        request = self._request
        flags = [*request.layout.flags(), *request.flags]
        job = {"model": dict(request.model), "loop_steps": request.steps, "donate": request.donate}
        environment = self.variant.environment(flags, str(self._dump))
        self._fleet = stack.enter_context(Fleet(request.layout, job, environment, request.limit_s))

    def attempt(self, what: Callable[[], None]) -> None:
        """Calls `what`, unless a step has failed; records a WorkerError as the failure."""
        if self.failed:
            return
        try:
            what()
        except WorkerError as error:
            self.failed = str(error)

    def ready(self) -> None:
        self.facts = self._fleet.first_answer()
        self._seconds.append(self.facts.pop("seconds"))

    def build(self) -> None:
        self._seconds.append(self._fleet.ask(do="build")["seconds"])

    def time(self, way: str) -> None:
        times = self._fleet.ask(do="time", way=way, steps=self._request.steps)["ms"]
        self._turns[way].append(statistics.median(times))

    def look(self) -> None:
        for way in WAYS:
            steps = self._request.steps if way == "loop" else _PROFILED_STEPS
            self._profile[way] = self._fleet.ask(do="profile", way=way, steps=steps)

    def result(self) -> dict[str, Any]:
        ms = {way: spread(turns) for way, turns in self._turns.items()}
        return {"ms": ms, "profile": self._profile, "seconds": self._seconds, **_verdicts(self._dump)}


def _verdicts(dump: pathlib.Path) -> dict[str, Any]:
    """Verdicts on the all-reduces of one step, from the first process's dump."""
    if not dump.is_dir():
        return {}
    steps = [one for one in read_reports(str(dump)) if "one_step" in one["module"]]
    if not steps:
        return {"verdicts": {}}
    entries = steps[0]["all_reduces"]
    kinds = {kind: sum(one["verdict"] == kind for one in entries) for kind in ("fused", "plain", "kept")}
    return {"verdicts": kinds, "graph_ends": sum(one["ends_graph"] for one in entries)}
