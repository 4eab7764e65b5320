# SPDX-License-Identifier: Apache-2.0
"""Why this machine's GPUs cannot run the calls that the pass would emit for a module; empty if they can.

Checked before XLA gets a rewritten module: an obstacle found here becomes a verdict in the report, and XLA compiles the
module unchanged; one found only at run time would end the program. Without a GPU nothing can run here and modules are
compiled for GPUs elsewhere, so the check passes.
"""

from __future__ import annotations

import ctypes.util
import glob
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_oneshot import nvidia_libraries

Call = Mapping[str, Any]  # row_program, rows, width, group_size, algorithm

# Lets independent operations of a command buffer run concurrently. Calls of one group share a workspace and must run
# one after the other, in the same order on all ranks, as they do in every other mode; XLA ensures that only for its own
# collectives.
_CONCURRENT = "--xla_gpu_command_buffer_scheduling_mode=CONCURRENT"


class GpuObstacles:
    """Checks everything that can be known at compile time."""

    def __init__(
        self,
        gpu_count: Callable[[], int],
        host_count: Callable[[], int],
        check_calls: Callable[[list[tuple[str, int, int, int, str]]], str],
        find_nccl: Callable[[], bool],
    ) -> None:
        """Takes the queries as functions, called per module.

        Args:
          gpu_count: number of GPUs of this machine that this process may use.
          host_count: number of hosts that the program's GPUs belong to.
          check_calls: the native check: driver, NVRTC, peer access, and whether each call compiles.
          find_nccl: whether XLA can load a libnccl.
        """
        self._gpu_count = gpu_count
        self._host_count = host_count
        self._check_calls = check_calls
        self._find_nccl = find_nccl

    def __call__(self, calls: Sequence[Call]) -> str:
        """Why `calls` cannot run here, one sentence; empty: they can, or no GPU is present."""
        if self._gpu_count() == 0:
            return ""
        if (hosts := self._host_count()) > 1:
            return (
                f"the GPUs of this program belong to {hosts} hosts; the kernels reach GPUs of one host only, and which "
                "hosts a group spans is not known when a module is compiled"
            )
        if _CONCURRENT in os.environ.get("XLA_FLAGS", "").split():
            return f"XLA_FLAGS has {_CONCURRENT}, under which calls may overtake each other; leave it out"
        if not self._find_nccl():
            return (
                "no libnccl.so.2 was found, through which ranks find each other; install nvidia-nccl-cu13, "
                "which JAX's CUDA plug-in asks for"
            )
        return self._check_calls(
            [
                (call["row_program"], call["rows"], call["width"], call["group_size"], call["algorithm"])
                for call in calls
            ]
        )


def find_nccl() -> bool:
    """Whether libnccl.so.2 is loaded, in an installed wheel, or known to the system's loader; loads nothing."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        if any("/libnccl.so" in line for line in maps):
            return True
    folders = [*nvidia_libraries.folders(), *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)]
    return any(glob.glob(os.path.join(glob.escape(folder), "libnccl.so*")) for folder in folders if folder) or bool(
        ctypes.util.find_library("nccl")
    )
