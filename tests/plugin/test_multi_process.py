# SPDX-License-Identifier: Apache-2.0
"""Two processes: CPU ranks rendezvous within one process only, so the pass keeps groups over both, and says why."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import socket

from jax_process import Finished, RunPython

MODEL = """
import sys, json
import jax
jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

def run(name, devices):
    mesh = jax.sharding.Mesh(np.array(devices), ("tp",), axis_types=(AxisType.Auto,))

    def ones(shape, *spec):
        return jax.make_array_from_callback(shape, NamedSharding(mesh, P(*spec)), lambda at: np.ones(shape, "f4")[at])

    def step(x, w):
        return jax.lax.with_sharding_constraint(x @ w, NamedSharding(mesh, P())) + 1

    step.__name__ = name
    output = jax.jit(step)(ones((4, 512), None, "tp"), ones((512, 256), "tp"))
    return float(output.addressable_data(0)[0, 0])

print(json.dumps([run("everywhere", jax.devices()), run("here", jax.local_devices())]))
"""


def test_a_group_over_two_processes_is_kept_and_one_within_a_process_is_fused(
    run_python: RunPython, tmp_path: pathlib.Path
) -> None:
    with socket.create_server(("localhost", 0)) as server:
        address = f"localhost:{server.getsockname()[1]}"
    env = {
        "JAX_ONESHOT": "1",
        "JAX_ONESHOT_DUMP_TO": str(tmp_path / "dumps"),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }

    def run(process: int) -> Finished:
        return run_python(["-c", MODEL, address, str(process)], env=env, timeout_s=120)

    with concurrent.futures.ThreadPoolExecutor(2) as both:
        outputs = [finished.json() for finished in both.map(run, range(2))]

    assert outputs == [[513.0, 513.0]] * 2
    reports = [json.loads(path.read_text()) for path in (tmp_path / "dumps").glob("*.report.json")]
    assert len(reports) == 4  # both processes dump into one folder without overwriting files
    for report in reports:
        (verdict,) = report["all_reduces"]
        if report["module"] == "jit_here":
            assert verdict["verdict"] == "fused"
        else:
            assert verdict["verdict"] == "kept"
            assert "the devices belong to several processes" in verdict["reason"]
    assert sorted(report["module"] for report in reports) == ["jit_everywhere"] * 2 + ["jit_here"] * 2
