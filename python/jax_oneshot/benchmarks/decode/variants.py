# SPDX-License-Identifier: Apache-2.0
"""The variants that `bench decode` compares: XLA's own collectives, and jax-oneshot."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import re
import runpy
from collections.abc import Sequence

NCCL_IN_GRAPHS = "--xla_gpu_enable_command_buffer=+COLLECTIVES"
NCCL_ALONE = "--xla_gpu_experimental_use_collective_kernels="


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to run a model.

    Attributes:
      name: starts with "off" or "on", followed by the difference from that variant.
      on: whether jax-oneshot is on.
      flags: XLA flags.
      calls_per_graph: JAX_ONESHOT_GRAPH_CALLS; None: unset.
    """

    name: str
    on: bool
    flags: tuple[str, ...] = ()
    calls_per_graph: int | None = None

    def environment(self, shared_flags: Sequence[str], dump_to: str) -> dict[str, str]:
        """Its environment; sets the JAX_ONESHOT* variables that matter, so that the caller's do not leak in."""
        graph = "" if self.calls_per_graph is None else str(self.calls_per_graph)
        return {
            "JAX_ONESHOT": "1" if self.on else "0",
            "JAX_ONESHOT_DUMP_TO": dump_to if self.on else "",
            "JAX_ONESHOT_GRAPH_CALLS": graph,
            "JAX_ENABLE_COMPILATION_CACHE": "false",
            "XLA_FLAGS": " ".join([*shared_flags, *self.flags]),
        }


OFF = Variant("off", on=False)
ON = Variant("on", on=True)


def known(platform: str, xla: tuple[int, ...] | None) -> dict[str, Variant]:
    """By name: every variant that can run.

    Args:
      platform: "cuda" or "cpu".
      xla: version of the CUDA plug-in; None: not known.
    """
    variants = [OFF, ON]
    if platform == "cuda":
        variants.insert(1, Variant("off, NCCL in graphs", on=False, flags=(NCCL_IN_GRAPHS,)))
        if xla is not None and xla >= (0, 12):  # earlier XLA has no collective kernels if a process has one GPU
            variants.insert(2, Variant("off, NCCL alone", on=False, flags=(NCCL_ALONE,)))
    return {variant.name: variant for variant in variants}


def with_calls_per_graph(calls: int) -> Variant:
    """On, with another number of calls per CUDA graph."""
    return Variant(f"on, {calls} calls per graph" if calls else "on, one graph", on=True, calls_per_graph=calls)


def plugin_version() -> tuple[int, ...] | None:
    """Version of the CUDA plug-in that would be imported, which may differ from jax's; None: there is none."""
    for name in ("jax_plugins.xla_cuda13", "jax_plugins.xla_cuda12"):
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            continue
        if spec is not None and spec.origin:
            found = runpy.run_path(str(pathlib.Path(spec.origin).with_name("version.py"))).get("_version", "")
            return tuple(int(part) for part in re.findall(r"\d+", str(found)))
    return None
