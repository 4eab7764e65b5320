# SPDX-License-Identifier: Apache-2.0
"""A process of the kernel benchmark: N ranks on this machine's first GPU, or on a GPU each.

stdin:  requests, one JSON object per line. The first: {"competitors": [libraries], "gpus": "one" or "each",
        "nccl": true, "methods": [those to measure, none: all]}; then one per shape: {"ranks": 2, "rows": 8,
        "width": 4096, "links": 32, "turns": 70}.
stdout: an answer to each. To the first, the device: {"gpu": "NVIDIA H200", "driver": ..., ...}. To the others
        {"us": {method: [...]}, "public_us": {kernel: [...]}, "skipped": {method or kernel: why}}: microseconds per
        call, one value per turn. After {"error": why} the process exits: it cannot use the GPU after a kernel hung.
"""

from __future__ import annotations

import json
import os
import sys

from jax_oneshot import native, nvidia_libraries


def main() -> int:
    """Answers requests until stdin ends; returns 1 after an error."""
    nvidia_libraries.tell_native(os.environ)  # NVRTC and NCCL come with JAX's packages
    bench = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if bench is None:
                bench = native.load_bench().KernelBench(**request)
                answer = bench.device()
            else:
                answer = bench.measure(**request)
        except (RuntimeError, ImportError) as error:
            print(json.dumps({"error": str(error)}), flush=True)
            return 1
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
