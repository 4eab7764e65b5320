# SPDX-License-Identifier: Apache-2.0
"""XLA's GPU compiler ends with no more collectives, copies or kernels with the pass on than with it off."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
import sys

import counts_worker
import pytest
from jax_oneshot import jax_internals, message_limits
from jax_oneshot.demo import gpu_compile
from jax_process import REPOSITORY

Counts = dict[str, dict[str, int]]


@functools.cache
def counts(on: bool) -> Counts:
    gpu_compile.require_plugin()
    environment = {**os.environ, **gpu_compile.gpu_environment(""), "JAX_ONESHOT": "1" if on else "0"}
    del environment["JAX_ONESHOT_DUMP_TO"]
    worker = pathlib.Path(counts_worker.__file__)
    done = subprocess.run([sys.executable, worker], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("program", counts_worker.PROGRAMS)
@pytest.mark.parametrize("kind", ["collectives", "copies", "kernels"])
def test_a_program_has_no_more_with_the_pass_on(program: str, kind: str) -> None:
    assert counts(on=True)[program][kind] <= counts(on=False)[program][kind], (counts(on=True), counts(on=False))


def test_gradients_that_xla_combines_are_left_to_it() -> None:
    assert counts(on=True)["training step"] == counts(on=False)["training step"]


def test_layers_that_wait_for_one_another_become_calls() -> None:
    assert counts(on=True)["decode step"]["calls"] == 4
    assert counts(on=True)["scanned layers"]["calls"] > 0


def test_what_xla_combines_is_read_from_its_debug_options() -> None:
    assert jax_internals.combine_limits() == message_limits.XLA_COMBINES
    script = "from jax_oneshot import jax_internals; print(jax_internals.combine_limits()[0])"
    flags = {**os.environ, "XLA_FLAGS": "--xla_gpu_all_reduce_combine_threshold_bytes=1000", "JAX_ONESHOT": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=flags, capture_output=True, text=True, check=True)
    assert done.stdout == "1000\n"
