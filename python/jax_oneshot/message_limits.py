"""The largest message per rank that is rewritten, by platform, GPU architecture and group size.

    bytes:   0 ........ two shots from ........ limit ........
              one shot              two shots          XLA's own all-reduce stays

One shot sends every rank's whole message to every other rank, which is the quickest way while latency counts more than
bytes; two shots send less and wait twice (docs/performance.md counts both).

Where the limits come from, Hopper. 2 ranks: two H100s with NCCL 2.28.9 and no multicast, 25 November 2026: with 4 MiB
one shot still takes less than half of NCCL's time, with 16 MiB nearly as long. 4 ranks: four H200s, 27 November 2026:
with 4 MiB two shots and the rest take 0.56 of NCCL's all-reduce and a kernel for residual and norm. 8 and 16 ranks: NOT
MEASURED; by two shots they send less with 2 MiB than 4 ranks with 4. Ampere and Blackwell: NOT MEASURED; 256 KiB at 8
ranks on Hopper is about where published one-shot kernels meet NCCL's ring, other groups send as many bytes per rank,
and Ampere's links are half as fast as Hopper's, Blackwell's twice. CPU: the largest that was measured, 24 November
2026, 8 devices on 4 cores: with 1024 rows of 8192 f32 columns a call is as many times faster as with 64, so no size was
found from which XLA:CPU's own is better.
"""

from __future__ import annotations

from typing import Literal

LARGEST_GROUP = 16
DEFAULT_ARCHITECTURE = 90  # assumed where no GPU can be asked: modules compiled for GPUs that are not here

# Bytes and number of all-reduces of which XLA:GPU makes one at most, unless XLA_FLAGS says otherwise: the same in the
# debug options of jaxlib 0.11.2 and 0.12.0.1.
XLA_COMBINES = (31457287, 2048)

_KIB = 1 << 10
CPU_LIMIT = 32 << 20
# By compute capability (of the newest architecture that is not newer than the GPU), then by group size (of the smallest
# group that is not smaller).
CUDA_LIMITS: dict[int, dict[int, int]] = {
    80: {2: 2048 * _KIB, 4: 256 * _KIB, 8: 128 * _KIB, 16: 64 * _KIB},
    90: {2: 4096 * _KIB, 4: 4096 * _KIB, 8: 2048 * _KIB, 16: 2048 * _KIB},
    100: {2: 8192 * _KIB, 4: 1024 * _KIB, 8: 512 * _KIB, 16: 256 * _KIB},
}

NEVER = 2**63 - 1  # more bytes than any message has

# From how many bytes of one rank's message on the sums of a call travel by two shots: by compute capability and group
# size, as above. 2 ranks send as many bytes either way, and would wait twice. 4 ranks on Hopper: four H200s, 27
# November 2026: one shot is 8 % quicker with 128 KiB, two shots are 6 % quicker with 224 KiB and 10 % with 256. There
# they send 288 KiB less, which is worth the second wait. All others are derived from that and NOT MEASURED: as many
# bytes less, half as many on Ampere's links and twice as many on Blackwell's, rounded to a power of two.
CUDA_TWO_SHOT_FROM: dict[int, dict[int, int]] = {
    80: {2: NEVER, 4: 96 * _KIB, 8: 32 * _KIB, 16: 16 * _KIB},
    90: {2: NEVER, 4: 192 * _KIB, 8: 64 * _KIB, 16: 32 * _KIB},
    100: {2: NEVER, 4: 384 * _KIB, 8: 128 * _KIB, 16: 64 * _KIB},
}


def default_two_shot_from(platform: Literal["cpu", "cuda"], architecture: int | None = None) -> list[int]:
    """Bytes from which a message goes by two shots, by group size, from 0 to LARGEST_GROUP; arguments as below.

    On CPU ranks share memory, and there are no shots.
    """
    if platform == "cpu":
        return [NEVER] * (LARGEST_GROUP + 1)
    return _by_group_size(CUDA_TWO_SHOT_FROM, architecture)


def default_limits(platform: Literal["cpu", "cuda"], architecture: int | None = None) -> list[int]:
    """Bytes by group size, from 0 to LARGEST_GROUP.

    Args:
      platform: what the module is compiled for.
      architecture: compute capability of the GPU, 90 for sm_90; None: no GPU can be asked.
    """
    if platform == "cpu":
        return [CPU_LIMIT] * (LARGEST_GROUP + 1)
    return _by_group_size(CUDA_LIMITS, architecture)


def _by_group_size(table: dict[int, dict[int, int]], architecture: int | None) -> list[int]:
    known = [version for version in table if version <= (architecture or DEFAULT_ARCHITECTURE)]
    by_group = table[max(known, default=min(table))]
    return [by_group[min(group for group in by_group if group >= size)] for size in range(LARGEST_GROUP + 1)]
