# SPDX-License-Identifier: Apache-2.0
"""The native module of the kernel benchmark, ffi_kernels/cuda/bench."""

from typing import Any

class KernelBench:
    """Several ranks on this machine's first GPU or on a GPU each (ffi_kernels/cuda/bench/kernel_bench.h)."""

    def __init__(self, competitors: list[str], gpus: str, nccl: bool, methods: list[str]) -> None:
        """Opens the GPUs.

        Args:
          competitors: libraries of other people's kernels (ffi_kernels/cuda/bench/competitor.h).
          gpus: "one" for all ranks, or "each" rank has one.
          nccl: whether to measure NCCL where each rank has a GPU.
          methods: only these of ours and NCCL's; none: all.

        Raises:
          RuntimeError: no driver, no GPU or too few, no NVRTC, or a library that is none.
        """

    def device(self) -> dict[str, Any]:
        """What the device and its software are.

        Returns:
          "gpu", "driver", "nvrtc", "arch", "multiprocessors"; "nccl": its version, empty if it is not used; "gpus": how
          many ranks are placed on; "most_ranks": how many ranks `measure` takes.
        """

    def measure(self, ranks: int, rows: int, width: int, links: int, turns: int) -> dict[str, Any]:
        """Measures one shape.

        Args:
          ranks: how many there are.
          rows: of the message.
          width: of the message, in bf16.
          links: calls in a chain.
          turns: of every method.

        Returns:
          "us" and "public_us": method -> microseconds per call, one value per turn; "skipped": method -> why.

        Raises:
          RuntimeError: a result of ours is wrong, or a kernel does not end; then the device is lost to this process.
        """
