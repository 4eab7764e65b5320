# SPDX-License-Identifier: Apache-2.0
"""Reads a trace folder of `jax.profiler.trace`: the kernels of the first GPU and the events of the host."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Sequence

# The first pattern that matches gives the kind. XLA's own collective kernels are named all-reduce or collective.
_KERNELS = {
    "calls": re.compile(r"oneshot", re.IGNORECASE),
    "collectives": re.compile(r"nccl|all.?reduce|all.?gather|reduce.?scatter|collective|multi.?gpu.?barrier", re.I),
    "copies": re.compile(r"memcpy|memset", re.IGNORECASE),
    "matrix products": re.compile(r"gemm|gemv|nvjet|cutlass|cublas|xmma|splitk|matmul|dot_", re.IGNORECASE),
}


@dataclasses.dataclass(frozen=True)
class Event:
    """A kernel, or a host event; times in nanoseconds."""

    name: str
    start: float
    duration: float


@dataclasses.dataclass(frozen=True)
class Trace:
    """Kernels of the first device, and host events of the same time."""

    kernels: Sequence[Event]
    host: Sequence[Event]


def read(folder: str) -> Trace:
    """Reads the last profile under the folder, by path.

    Raises:
      ValueError: there is none.
    """
    from jax.profiler import ProfileData

    files = sorted(pathlib.Path(folder).rglob("*.xplane.pb"))
    if not files:
        raise ValueError(f"no *.xplane.pb under {folder}; expected what jax.profiler.trace writes there")
    kernels: list[Event] = []
    host: list[Event] = []
    for plane in ProfileData.from_file(str(files[-1])).planes:
        is_first_device = plane.name.startswith("/device:GPU:0")
        if not is_first_device and plane.name != "/host:CPU":
            continue
        for line in plane.lines:
            if is_first_device and not line.name.startswith("Stream"):
                continue  # XLA's own lines repeat the kernels by HLO operation
            events = [Event(event.name, event.start_ns, event.duration_ns) for event in line.events]
            (kernels if is_first_device else host).extend(events)
    return Trace(kernels, host)


def kernel_kind(name: str) -> str:
    """One of "calls", "collectives", "matrix products", "copies", "rest"."""
    return next((kind for kind, pattern in _KERNELS.items() if pattern.search(name)), "rest")
