"""One model over two processes: the CPU kernels meet within one process only, so the pass keeps away and says why."""

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

mesh = jax.make_mesh((8,), ("tp",), axis_types=(AxisType.Auto,))

def ones(shape, *spec):
    return jax.make_array_from_callback(shape, NamedSharding(mesh, P(*spec)), lambda at: np.ones(shape, "f4")[at])

@jax.jit
def step(x, w):
    return jax.lax.with_sharding_constraint(x @ w, NamedSharding(mesh, P())) + 1

output = step(ones((4, 512), None, "tp"), ones((512, 256), "tp"))
print(json.dumps(float(output.addressable_data(0)[0, 0])))
"""


def test_a_group_over_two_processes_is_kept_with_that_reason(run_python: RunPython, tmp_path: pathlib.Path) -> None:
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

    assert outputs == [513.0, 513.0]
    reports = [json.loads(path.read_text()) for path in (tmp_path / "dumps").glob("*.report.json")]
    assert len(reports) == 2  # both processes dump into one folder, neither over the other's files
    for report in reports:
        (verdict,) = report["all_reduces"]
        assert verdict["verdict"] == "kept"
        assert "the devices belong to several processes" in verdict["reason"]
