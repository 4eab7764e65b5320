"""In: nothing. Out: what several test files need to run Python in a process of its own, with JAX on 8 CPU devices.

The plug-in acts when JAX starts, once per process, so whatever involves it is tested from outside.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]

# Folder to put before everything else on PYTHONPATH to get that version; None: the installed one.
JAX_VERSIONS: dict[str, pathlib.Path | None] = {"0.12.0.1": None, "0.11.2": REPOSITORY / ".venv" / "jax-0.11.2"}

# One tensor-parallel step: an all-reduce, a residual add and an RMSNorm. `step(*arguments)` is [4, 256] in f32.
MODEL = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

mesh = jax.make_mesh((8,), ("tp",), axis_types=(AxisType.Auto,))

def place(array, *spec):
    return jax.device_put(jnp.asarray(array, jnp.bfloat16), NamedSharding(mesh, P(*spec)))

random = np.random.default_rng(7)
arguments = (
    place(random.normal(size=(4, 512)), None, "tp"),
    place(random.normal(size=(512, 256)) / 16, "tp", None),
    place(random.normal(size=(4, 256))),
    place(random.normal(size=256)),
)

@jax.jit
def step(x, w, residual, gamma):
    h = jax.lax.with_sharding_constraint(x @ w, NamedSharding(mesh, P())) + residual
    wide = h.astype(jnp.float32)
    scale = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-6)
    return (wide * scale).astype(jnp.bfloat16) * gamma
"""


@dataclasses.dataclass(frozen=True)
class Finished:
    """A process that ended."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The last line of stdout, as JSON; fails with stderr when the process failed."""
        assert self.status == 0, self.stderr
        return json.loads(self.stdout.splitlines()[-1])


RunPython = Callable[..., Finished]


@pytest.fixture
def run_python(tmp_path: pathlib.Path) -> RunPython:
    """Runs `python ARGUMENTS...` with 8 CPU devices, no JAX_* variable of ours but those given, and a time limit."""

    def run(
        arguments: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        jax: pathlib.Path | None = None,
        input: bytes = b"",
        timeout_s: float = 180,
    ) -> Finished:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=_environment(jax) | dict(env or {}),
            input=input,
            cwd=tmp_path,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    return run


@pytest.fixture
def run_script(run_python: RunPython) -> RunPython:
    """As `run_python`, for the text of a script."""
    return lambda script, **options: run_python(["-c", script], **options)


@pytest.fixture(params=JAX_VERSIONS.values(), ids=JAX_VERSIONS.keys())
def jax_version(request: pytest.FixtureRequest) -> pathlib.Path | None:
    """Each supported JAX in turn, as the `jax` option of `run_python`."""
    folder: pathlib.Path | None = request.param
    if folder is not None and not folder.is_dir():
        pytest.fail(f"{folder} is missing; `make build` sets it up")
    return folder


def _environment(jax: pathlib.Path | None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    paths = [str(jax)] if jax else []
    paths += filter(None, [inherited.get("PYTHONPATH")])
    return inherited | {
        "PYTHONPATH": os.pathsep.join(paths),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    }
