# SPDX-License-Identifier: Apache-2.0
"""Adds measured kernel times from a profiler trace to the report's document.

    {"verdict": "fused", "kernel": "oneshot_all_reduce_add_..._tp8", ...}  ->  "measured": {"us": 3.6, "count": 1040}
    "profile": {"collectives": [{"kernel": "ncclDevKernel_AllReduce_...", "us": 13.2, "count": 16}]}

Calls that share a kernel, as equal layers do, share a measurement: the mean over all launches. XLA's own collectives
cannot be attributed to all-reduces, so they are listed by kernel.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from jax_oneshot.device_trace import Trace, kernel_kind


def add_to(document: dict[str, Any], trace: Trace) -> None:
    """Adds "measured" to the document's entries, and "profile" to the document. Times are in microseconds."""
    durations: defaultdict[str, list[float]] = defaultdict(list)
    for kernel in trace.kernels:
        durations[kernel.name.partition("(")[0]].append(kernel.duration)
    for module in document["modules"]:
        for entry in module["all_reduces"]:
            if entry["kernel"] in durations:
                entry["measured"] = _time(durations[entry["kernel"]])
    collectives = {name: times for name, times in durations.items() if kernel_kind(name) == "collectives"}
    document["profile"] = {
        "collectives": [
            {"kernel": name, **_time(times)}
            for name, times in sorted(collectives.items(), key=lambda one: -sum(one[1]))
        ]
    }


def _time(nanoseconds: list[float]) -> dict[str, Any]:
    return {"us": round(sum(nanoseconds) / len(nanoseconds) * 1e-3, 3), "count": len(nanoseconds)}
