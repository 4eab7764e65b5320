# SPDX-License-Identifier: Apache-2.0
"""A value has the same bits inside a call and outside it, where XLA:CPU recomputes it (docs/row_program.md).

A subprocess (values_worker.py) draws programs with hypothesis and compiles each with the pass and without it.
"""

from __future__ import annotations

import pathlib

import pytest
from jax_process import RunPython

WORKER = pathlib.Path(__file__).with_name("values_worker.py")
ON = {"JAX_ONESHOT": "1", "JAX_ONESHOT_MODULES": "^jit_on"}
EXAMPLES = 40  # of each property


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run_python = RunPython(tmp_path_factory.mktemp("values"))
    found: dict[str, str] = run_python([str(WORKER), str(EXAMPLES)], env=ON, timeout_s=900).json()
    return found


@pytest.mark.parametrize("property_", ["comparisons_behind_a_norm_agree", "sums_and_products_are_those_of_xla"])
def test_inside_and_outside_of_a_call(property_: str, failures: dict[str, str]) -> None:
    assert property_ not in failures, failures[property_]


TOP_K_BEHIND_A_TEMPERATURE = """
import jax, jax.numpy as jnp, numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(np.array(jax.devices()), ("tp",))
random = np.random.default_rng(5)
h = random.normal(size=(64, 128)).astype(np.float32)
w = (random.normal(size=(128, 1000)) * 0.1).astype(np.float32)

def sample(h, w, k):
    logits = (h @ w) / 0.7
    kept = logits >= lax.top_k(logits, k)[0][:, -1:]
    return kept.sum(-1), jax.nn.softmax(jnp.where(kept, logits, -jnp.inf), -1)

by_rank = (NamedSharding(mesh, P(None, "tp")), NamedSharding(mesh, P("tp")))
for k in (1, 4):
    kept, p = jax.jit(lambda h, w: sample(h, w, k), in_shardings=by_rank, out_shardings=NamedSharding(mesh, P()))(h, w)
    assert (np.asarray(kept) == k).all(), kept
    assert not np.isnan(np.asarray(p)).any()
"""


def test_a_top_k_behind_an_lm_head_keeps_k_logits(run_python: RunPython) -> None:
    done = run_python(["-c", TOP_K_BEHIND_A_TEMPERATURE], env={"JAX_ONESHOT": "1"})
    assert done.status == 0, done.stderr


LARGEST_OF_NANS = """
import json, jax, numpy as np
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P
mesh = jax.make_mesh((8,), ("tp",), axis_types=(AxisType.Auto,))
x = np.tile(np.arange(8, dtype=np.float32)[:, None], (1, 16))
x[range(8), range(8)] = np.nan  # rank i alone
x[:, 8] = np.nan
x[1:, 9] = np.nan
x[:7, 10] = np.nan
x[:, 11] = np.where(np.arange(8) % 2, -0.0, 0.0)
x[:, 12] = np.where(np.arange(8) % 2, 0.0, -0.0)
found = []
for dtype in ("float32", "bfloat16", "float16"):
    for combine in (lax.pmax, lax.pmin):
        f = jax.shard_map(lambda x: combine(x[0], "tp"), mesh=mesh, in_specs=P("tp"), out_specs=P(), check_vma=False)
        compiled = jax.jit(f).lower(x.astype(dtype)).compile()
        result = np.asarray(compiled(x.astype(dtype))).tolist()
        found.append(["jax_oneshot.all_reduce" in compiled.as_text(), *map(repr, result)])
print(json.dumps(found))
"""


def test_maximum_and_minimum_over_ranks_do_with_nan_what_xla_does(run_python: RunPython) -> None:
    on, off = (run_python(["-c", LARGEST_OF_NANS], env={"JAX_ONESHOT": value}).json() for value in ("1", "0"))
    assert [results[0] for results in on] == [True] * 6
    assert [results[0] for results in off] == [False] * 6
    assert [results[1:] for results in on] == [results[1:] for results in off]
