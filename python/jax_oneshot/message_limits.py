# SPDX-License-Identifier: Apache-2.0
"""The largest message per rank that is rewritten, and the smallest that takes two shots.

    bytes:   0 ........ two shots from ........ limit ........
              one shot              two shots          XLA's own all-reduce

By platform, GPU architecture and group size. One shot sends each rank's whole message to every other rank, which is
fastest while latency dominates; two shots send fewer bytes but wait twice (docs/performance.md counts both).

Sources of the limits:
- Hopper, 2 ranks: two H100s, NCCL 2.28.9 without multicast, 25 November 2026: a call takes 0.44 of the time of NCCL's
  all-reduce and a kernel for residual and norm at 4 MiB, 0.65 at 8 MiB, 0.84 at 16 MiB.
- Hopper, 4 ranks: four H100s, 28 November 2026: 0.53 at 4 MiB, 0.65 to 0.68 at 8 MiB, 0.76 to 0.81 at 16 MiB; a prompt
  of 2048 tokens (16 MiB) is 7 % faster with calls than without.
- Hopper, 8 and 16 ranks: NOT MEASURED. At 8 ranks a rank sends 1.75 messages in place of 4 ranks' 1.5, and NCCL with
  multicast, which was off in all of these measurements, sends about half. So a quarter of 4 ranks' limit.
- Ampere and Blackwell: NOT MEASURED. 2 ranks: from Hopper's 4 MiB. Others: 256 KiB at 8 ranks on Hopper is about where
  published one-shot kernels meet NCCL's ring; with other group sizes a rank sends about as many bytes at the limit.
  Ampere's links are half as fast as Hopper's, Blackwell's twice.
- CPU: the largest size that was measured, 24 November 2026, 8 devices on 4 cores: the speed-up at 1024 rows of 8192 f32
  columns is the same as at 64 rows, so no size was found from which XLA:CPU's own all-reduce is faster.
"""

from __future__ import annotations

from typing import Literal

LARGEST_GROUP = 16
DEFAULT_ARCHITECTURE = 90  # assumed when no GPU is present: modules are compiled for GPUs elsewhere

# Bytes and number of all-reduces up to which XLA:GPU combines them into one, unless XLA_FLAGS says otherwise: the
# defaults of the debug options in jaxlib 0.11.2 and 0.12.0.1.
XLA_COMBINES = (31457287, 2048)

_KIB = 1 << 10
CPU_LIMIT = 32 << 20
# By compute capability (the newest that is not newer than the GPU's), then by group size (the smallest that is not
# smaller than the group).
CUDA_LIMITS: dict[int, dict[int, int]] = {
    80: {2: 2048 * _KIB, 4: 256 * _KIB, 8: 128 * _KIB, 16: 64 * _KIB},
    90: {2: 16384 * _KIB, 4: 16384 * _KIB, 8: 4096 * _KIB, 16: 4096 * _KIB},
    100: {2: 8192 * _KIB, 4: 1024 * _KIB, 8: 512 * _KIB, 16: 256 * _KIB},
}

NEVER = 2**63 - 1  # more bytes than any message has

# Bytes of one rank's message from which a call uses two shots: by compute capability and group size, as above. 2 ranks
# send as many bytes either way, and would wait twice. 4 ranks on Hopper: four H200s, 27 November 2026: one shot is 8 %
# faster at 128 KiB, two shots are 6 % faster at 224 KiB and 10 % at 256 KiB. At 192 KiB they send 288 KiB less, which
# is worth the second wait. All others are derived from that and NOT MEASURED: the same number of bytes saved, half as
# many on Ampere's links and twice as many on Blackwell's; for 8 and 16 ranks rounded up to a power of two.
CUDA_TWO_SHOT_FROM: dict[int, dict[int, int]] = {
    80: {2: NEVER, 4: 96 * _KIB, 8: 32 * _KIB, 16: 16 * _KIB},
    90: {2: NEVER, 4: 192 * _KIB, 8: 64 * _KIB, 16: 32 * _KIB},
    100: {2: NEVER, 4: 384 * _KIB, 8: 128 * _KIB, 16: 64 * _KIB},
}


def default_two_shot_from(platform: Literal["cpu", "cuda"], architecture: int | None = None) -> list[int]:
    """Bytes from which a message takes two shots, indexed by group size (0 to LARGEST_GROUP); arguments as below.

    NEVER on CPU, where ranks share memory.
    """
    if platform == "cpu":
        return [NEVER] * (LARGEST_GROUP + 1)
    return _by_group_size(CUDA_TWO_SHOT_FROM, architecture)


def default_limits(platform: Literal["cpu", "cuda"], architecture: int | None = None) -> list[int]:
    """Largest message per rank to rewrite, in bytes, indexed by group size (0 to LARGEST_GROUP).

    Args:
      platform: what the module is compiled for.
      architecture: compute capability of the GPU, 90 for sm_90; None: no GPU is present.
    """
    if platform == "cpu":
        return [CPU_LIMIT] * (LARGEST_GROUP + 1)
    return _by_group_size(CUDA_LIMITS, architecture)


def _by_group_size(table: dict[int, dict[int, int]], architecture: int | None) -> list[int]:
    known = [version for version in table if version <= (architecture or DEFAULT_ARCHITECTURE)]
    by_group = table[max(known, default=min(table))]
    return [by_group[min(group for group in by_group if group >= size)] for size in range(LARGEST_GROUP + 1)]
