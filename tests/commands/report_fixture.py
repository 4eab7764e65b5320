# SPDX-License-Identifier: Apache-2.0
"""A report of the native pass on a module with one all-reduce, with the fields of xla_pass/run_pass.h."""

from __future__ import annotations

from typing import Any

VERDICT: dict[str, Any] = {
    "name": "all-reduce.3",
    "computation": "main",
    "shape": "bf16[8,4096]",
    "verdict": "fused",
    "reason": "the region is complete",
    "reason_id": "region_complete",
    "stop_id": "",
    "row_program": "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)",
    "in_loop": True,
    "group_size": 8,
    "bytes": 65536,
    "absorbed": {"instructions": 12, "all_reduces": 1, "all_gathers": 0},
    "outputs": 2,
    "rewrite": 1,
    "ends_graph": False,
    "kernel": "oneshot_all_reduce_bf16_8x4096_tp8",
    "call": {
        "name": "jax_oneshot.0",
        "reads": [{"name": "dot.1", "shape": "bf16[8,4096]"}],
        "returns": [{"name": "all-reduce.3", "shape": "bf16[8,4096]", "output": 0}],
        "all_reduces": ["all-reduce.3"],
        "replaces": ["all-reduce.3"],
        "fused_computations": [],
    },
}
ROTATION: dict[str, Any] = {
    "loop": "while.2",
    "computation": "main",
    "rotated": True,
    "reason": "",
    "reason_id": "",
    "all_reduce": "all-reduce.3",
    "moved": ["multiply.1", "reduce.2", "multiply.3"],
    "carried": ["bf16[8,4096]"],
    "rewrite": 1,
}
NATIVE: dict[str, Any] = {
    "module": "jit_decode",
    "num_partitions": 8,
    "num_replicas": 1,
    "instructions": 40,
    "all_reduces": [VERDICT],
    "calls": [{"row_program": VERDICT["row_program"], "rows": 8, "width": 4096, "group_size": 8}],
    "collectives_before": 2,
    "collectives_after": 1,
    "loops": [{"computation": "main", "collectives_before": 2, "collectives_after": 1}],
    "rotations": [ROTATION],
    "rewrites": 1,
    "steps": 500,
    "calls_per_graph": 0,
    "why_calls_per_graph": "2 of 66 results get new memory in every run",
}
