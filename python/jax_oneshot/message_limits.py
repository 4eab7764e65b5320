"""In: a platform and a GPU's architecture. Out: the largest message per rank that is rewritten, by group size.

Above it XLA's own all-reduce stays. A one-shot all-reduce sends every rank's whole message to every other rank, which
is the quickest way while latency counts more than bytes.

The table for CUDA, 2026-11: 256 KiB at 8 ranks on Hopper is about where published one-shot kernels meet NCCL's ring,
and not measured by us; 4 and 16 ranks send as many bytes per rank in all, (N - 1) x message, rounded to a power of two.
2 ranks on Hopper: measured on two H100s with NCCL 2.28.9 and no multicast, 25 November 2026: with 4 MiB the one-shot
all-reduce still takes less than half of NCCL's time, with 16 MiB nearly as long (docs/performance.md, large messages).
Ampere's links are half as fast, Blackwell's twice. CPU: the largest that was measured, 24 November 2026, 8 devices on 4
cores: with 1024 rows of 8192 f32 columns a call is as many times faster as with 64, so no size was found from which
XLA:CPU's own is better.
"""

from __future__ import annotations

from typing import Literal

LARGEST_GROUP = 16
DEFAULT_ARCHITECTURE = 90  # assumed where no GPU can be asked: modules compiled for GPUs that are not here

_KIB = 1 << 10
CPU_LIMIT = 32 << 20
# By compute capability (of the newest architecture that is not newer than the GPU), then by group size (of the smallest
# group that is not smaller).
CUDA_LIMITS: dict[int, dict[int, int]] = {
    80: {2: 2048 * _KIB, 4: 256 * _KIB, 8: 128 * _KIB, 16: 64 * _KIB},
    90: {2: 4096 * _KIB, 4: 512 * _KIB, 8: 256 * _KIB, 16: 128 * _KIB},
    100: {2: 8192 * _KIB, 4: 1024 * _KIB, 8: 512 * _KIB, 16: 256 * _KIB},
}


def default_limits(platform: Literal["cpu", "cuda"], architecture: int | None = None) -> list[int]:
    """Bytes by group size, from 0 to LARGEST_GROUP.

    Args:
      platform: what the module is compiled for.
      architecture: compute capability of the GPU, 90 for sm_90; None: no GPU can be asked.
    """
    if platform == "cpu":
        return [CPU_LIMIT] * (LARGEST_GROUP + 1)
    known = [version for version in CUDA_LIMITS if version <= (architecture or DEFAULT_ARCHITECTURE)]
    by_group = CUDA_LIMITS[max(known, default=min(CUDA_LIMITS))]
    return [by_group[min(group for group in by_group if group >= size)] for size in range(LARGEST_GROUP + 1)]
