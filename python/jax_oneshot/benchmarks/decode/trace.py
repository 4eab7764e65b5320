# SPDX-License-Identifier: Apache-2.0
"""Breaks down the time of a decode step, from a trace of the first device and the host.

device  milliseconds per step by kind of kernel (collectives, calls, matrix products, copies, the rest), the time in
        which at least one kernel ran (`busy_ms`), and the kernels that took the most time
host    milliseconds per step by kind of work, and the events that took the most time. Events nest, so the kinds overlap
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from jax_oneshot.device_trace import Event, Trace, kernel_kind

_HOST = {
    "launch graphs": re.compile(r"^cuGraphLaunch"),
    "update graphs": re.compile(r"^cuGraph(?!Launch)"),
    "launch kernels": re.compile(r"^cuLaunch|^cudaLaunch"),
    "wait": re.compile(r"Synchronize|BlockHostUntilDone|^Await|block_until_ready", re.IGNORECASE),
    "dispatch": re.compile(r"^PjitFunction|ExecuteHelper$|^PjRtCApiLoadedExecutable::Execute$"),
}
_MOST = 30  # names to keep
_NUMBER = re.compile(r"\d+")


def summary(trace: Trace, steps: int) -> dict[str, Any]:
    """Milliseconds, counts and names, per step."""
    per_step = 1e-6 / steps
    kinds: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for kernel in trace.kernels:
        kind = kernel_kind(kernel.name)
        kinds[kind] += kernel.duration
        counts[kind] += 1
    work: defaultdict[str, float] = defaultdict(float)
    for event in trace.host:
        for kind, pattern in _HOST.items():
            if pattern.search(event.name):
                work[kind] += event.duration
    return {
        "device_ms": {kind: round(ns * per_step, 4) for kind, ns in kinds.items()},
        "device_counts": {kind: round(count / steps, 2) for kind, count in counts.items()},
        "busy_ms": round(_covered(trace.kernels) * per_step, 4),
        "host_ms": {kind: round(ns * per_step, 4) for kind, ns in work.items()},
        "most_on_device": _most(trace.kernels, steps),
        "most_on_host": _most(trace.host, steps),
    }


def _covered(events: Iterable[Event]) -> float:
    """Nanoseconds during which at least one of the events ran."""
    covered, end = 0.0, float("-inf")
    for event in sorted(events, key=lambda event: event.start):
        event_end = event.start + event.duration
        covered += max(0.0, event_end - max(end, event.start))
        end = max(end, event_end)
    return covered


def _most(events: Iterable[Event], steps: int) -> list[dict[str, Any]]:
    """The names that took the most time; names that differ only in numbers are merged."""
    total: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for event in events:
        of_name = total[_NUMBER.sub("#", event.name)[:120]]
        of_name[0] += event.duration
        of_name[1] += 1
    first = sorted(total.items(), key=lambda item: -item[1][0])[:_MOST]
    return [
        {"name": name, "ms": round(ns * 1e-6 / steps, 4), "count": round(count / steps, 2)}
        for name, (ns, count) in first
    ]
