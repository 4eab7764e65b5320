# SPDX-License-Identifier: Apache-2.0
"""Writes the bits of every rank's outputs of the numerics cases into a file.

Run as a script, with the pass on or off. Prints one JSON object: the traceback of each case that failed, by name.
"""

from __future__ import annotations

import json
import pathlib
import sys
import traceback
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from numerics_ops import Array, JaxOps
from numerics_patterns import DTYPES, PATTERNS, Case
from numerics_sharded import all_cases


def run(case: Case) -> list[np.ndarray[Any, Any]]:
    """The outputs of a case, each as [ranks, ...]."""
    pattern = PATTERNS[case.pattern]
    mesh = jax.make_mesh(case.mesh, ("dp", "tp"), axis_types=(AxisType.Auto, AxisType.Auto))
    by_rank = P(("dp", "tp"))
    specs = tuple(by_rank if role.varies else P() for role in pattern.roles)

    def on_each_rank(*inputs: Array) -> tuple[Array, ...]:
        own = [array[0] if role.varies else array for role, array in zip(pattern.roles, inputs, strict=True)]
        return tuple(output[None] for output in pattern.function(JaxOps(DTYPES[case.dtype]), *own))

    on_each_rank.__name__ = case.name
    mapped = jax.jit(jax.shard_map(on_each_rank, mesh=mesh, in_specs=specs, out_specs=by_rank, check_vma=False))
    placed = [
        jax.device_put(array, NamedSharding(mesh, spec)) for array, spec in zip(case.inputs(), specs, strict=True)
    ]
    return [np.asarray(output) for output in mapped(*placed)]


def bits(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array as unsigned integers, since numpy's files do not support bf16 and fp8."""
    return array.view(f"u{array.dtype.itemsize}")


def main() -> None:
    """Runs the cases one after the other."""
    path, only = pathlib.Path(sys.argv[1]), sys.argv[2:]
    outputs: dict[str, np.ndarray[Any, Any]] = {}
    failures: dict[str, str] = {}
    for name, case in all_cases().items():
        if only and name not in only:
            continue
        try:
            outputs |= {f"{name}/{i}/{array.dtype}": bits(array) for i, array in enumerate(run(case))}
        except Exception:  # a case that fails must not lose the results of others
            failures[name] = traceback.format_exc()
    np.savez(path, **outputs)  # type: ignore[arg-type]
    print(json.dumps(failures))


if __name__ == "__main__":
    main()
