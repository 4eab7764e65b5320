# SPDX-License-Identifier: Apache-2.0
"""Runs Python in a subprocess with JAX on 8 CPU devices; and a model for it to run.

The plug-in is loaded once per process, when JAX starts, so tests that involve it need a process of their own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jax_oneshot.jax_internals import SUPPORTED_VERSIONS

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# Folder to put first on PYTHONPATH to get that version; None: the installed one.
OLDEST_JAX, NEWEST_JAX = SUPPORTED_VERSIONS[0], SUPPORTED_VERSIONS[-1]
JAX_VERSIONS: dict[str, pathlib.Path | None] = {
    NEWEST_JAX: None,
    OLDEST_JAX: REPOSITORY / ".venv" / f"jax-{OLDEST_JAX}",
}

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
        """The last line of stdout, parsed as JSON; if the process failed, fails with its stderr."""
        assert self.status == 0, self.stderr
        return json.loads(self.stdout.splitlines()[-1])


class RunPython:
    """Runs `python ARGUMENTS...` with 8 CPU devices, a time limit, and no inherited JAX_*, XLA_* or ONESHOT_*."""

    def __init__(self, folder: pathlib.Path) -> None:
        """The processes run in `folder`."""
        self._folder = folder

    def __call__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        jax: pathlib.Path | None = None,
        stdin: bytes = b"",
        timeout_s: float = 180,
    ) -> Finished:
        """`jax`: one of JAX_VERSIONS."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=_environment(jax) | dict(env or {}),
            input=stdin,
            cwd=self._folder,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def script(self, text: str, *, env: Mapping[str, str] | None = None, jax: pathlib.Path | None = None) -> Finished:
        """Runs the text of a script."""
        return self(["-c", text], env=env, jax=jax)


def _environment(jax: pathlib.Path | None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "ONESHOT_"))}
    paths = [str(jax)] if jax else []
    paths += filter(None, [inherited.get("PYTHONPATH")])
    return inherited | {
        "PYTHONPATH": os.pathsep.join(paths),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    }
