# SPDX-License-Identifier: Apache-2.0
"""Batch invariance: a row's result has the same bits in every batch; on CPU, through JAX, up to the largest message."""

from __future__ import annotations

import json
import pathlib

import pytest
from jax_process import RunPython

# All-reduce, residual add and norm; every row is also computed in batches of other sizes.
SCRIPT = """
import functools, json, sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, PartitionSpec as P

kind, width, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mesh = Mesh(np.array(jax.devices()), ("tp",))

def rms_norm(h, gamma):
    wide = h.astype(jnp.float32)
    return (wide * jax.lax.rsqrt(jnp.mean(wide * wide, -1, keepdims=True) + 1e-6)).astype(h.dtype) * gamma

def layer_norm(h, gamma):
    wide = h.astype(jnp.float32)
    wide = wide - jnp.mean(wide, -1, keepdims=True)
    return (wide * jax.lax.rsqrt(jnp.mean(wide * wide, -1, keepdims=True) + 1e-5)).astype(h.dtype) * gamma

def softmax(h, gamma):
    return jax.nn.softmax(h.astype(jnp.float32), axis=-1).astype(h.dtype) * gamma

behind = {"rms_norm": rms_norm, "layer_norm": layer_norm, "softmax": softmax, "nothing": lambda h, gamma: h}[kind]

@jax.jit
@functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("tp"), P(), P()), out_specs=(P(), P()), check_vma=False)
def step(part, residual, gamma):
    h = jax.lax.psum(part[0], "tp") + residual
    return behind(h, gamma), h

random = np.random.default_rng(3)
part = jnp.asarray(random.standard_normal((8, most, width)) * 3, jnp.bfloat16)
residual = jnp.asarray(random.standard_normal((most, width)), jnp.bfloat16)
gamma = jnp.asarray(random.standard_normal(width), jnp.bfloat16)

def bits(rows):
    return [np.asarray(one).view(np.uint16) for one in step(part[:, rows], residual[rows], gamma)]

whole = bits(slice(0, most))
differ = []
for size in (1, 2, 3, 7, 8, 16, 33, 64):
    for start in sorted({0, (most - size) // 2, most - size}):
        rows = slice(start, start + size)
        if any((a[rows] != b).any() for a, b in zip(whole, bits(rows))):
            differ.append([size, start])
print(json.dumps(differ))
"""


@pytest.mark.parametrize("kind", ["nothing", "rms_norm", "layer_norm", "softmax"])
@pytest.mark.parametrize("width", [96, 3584])
def test_a_row_has_the_same_bits_alone_and_among_others(
    run_python: RunPython, tmp_path: pathlib.Path, kind: str, width: int
) -> None:
    env = {"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(tmp_path / "dump")}
    done = run_python(["-c", SCRIPT, kind, str(width), "128"], env=env)
    assert done.json() == []
    verdicts = {
        entry["verdict"]
        for path in (tmp_path / "dump").glob("*.report.json")
        for entry in json.loads(path.read_text())["all_reduces"]
    }
    assert verdicts <= {"fused", "plain"}
    assert verdicts
