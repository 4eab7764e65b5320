# SPDX-License-Identifier: Apache-2.0
"""Models whose regions read values computed from token ids: masks (jnp.take's NaN), rows of a position table."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
from jax_oneshot.demo.compare import read_reports
from jax_process import RunPython

MODEL = """
import json
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

mesh = jax.make_mesh((8,), ("tp",), axis_types=(AxisType.Auto,))
random = np.random.default_rng(3)

def place(array, *spec):
    return jax.device_put(array, NamedSharding(mesh, P(*spec)))

table = place(jnp.asarray(random.normal(size=(64, 256)), jnp.bfloat16), "tp", None)
weight = place(jnp.asarray(random.normal(size=(256, 256)) / 16, jnp.bfloat16), None, "tp")
back = place(jnp.asarray(random.normal(size=(256, 256)) / 16, jnp.bfloat16), "tp", None)
ids = place(jnp.asarray([[3], [63], [64], [-1]], jnp.int32))

@jax.jit
def step(table, weight, back, ids):
    x = jnp.take(table, ids, axis=0)
    wide = x.astype(jnp.float32)
    normed = (wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-6)).astype(jnp.bfloat16)
    return x + (normed @ weight) @ back

print(json.dumps(np.asarray(step(table, weight, back, ids).astype(jnp.float32)).reshape(4, 256).tolist()))
"""


def test_rows_of_ids_out_of_range_are_nan_and_the_others_as_without_the_pass(
    run_python: RunPython, tmp_path: pathlib.Path, jax_version: pathlib.Path | None
) -> None:
    dump = tmp_path / "dump"
    off = run_python.script(MODEL, jax=jax_version)
    on = run_python.script(MODEL, env={"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(dump)}, jax=jax_version)
    expected, found = np.array(off.json()), np.array(on.json())
    assert np.isnan(expected).all(axis=1).tolist() == [False, False, True, False]
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)
    verdicts: list[dict[str, Any]] = [entry for report in read_reports(str(dump)) for entry in report["all_reduces"]]
    assert [entry["verdict"] for entry in verdicts] == ["fused", "fused"]
    assert any("pred rowscalar" in entry["row_program"] for entry in verdicts)


POSITIONS = """
positions = place(jnp.asarray(random.normal(size=(32, 256)), jnp.bfloat16))
at = place(jnp.asarray([0, 31, 5, 5], jnp.int32))

@jax.jit
def embed(table, positions, ids, at):
    x = (table[ids[:, 0]] + positions[at + 0 * ids[:, 0]]).astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)

print(json.dumps(np.asarray(embed(table, positions, ids % 64, at)).tolist()))
"""


def test_positions_gathered_behind_the_embedding_are_those_that_were_asked_for(
    run_python: RunPython, tmp_path: pathlib.Path, jax_version: pathlib.Path | None
) -> None:
    dump = tmp_path / "dump"
    script = MODEL[: MODEL.index("@jax.jit")] + POSITIONS
    off = run_python.script(script, jax=jax_version)
    on = run_python.script(script, env={"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(dump)}, jax=jax_version)
    np.testing.assert_allclose(np.array(on.json()), np.array(off.json()), rtol=0.02, atol=0.02)
    (report,) = read_reports(str(dump))
    assert [entry["verdict"] for entry in report["all_reduces"]] == ["fused"]
    assert "reduce_sum" in report["all_reduces"][0]["row_program"], "the norm is in the call"
    (after,) = dump.glob("*.after.hlo.txt")
    assert any(" gather(" in line and "jax_oneshot_operand" in line for line in after.read_text().splitlines())
