# SPDX-License-Identifier: Apache-2.0
"""Measures what jax-oneshot costs a process that does not use it: JAX's import of the plug-in, JAX_ONESHOT unset."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

_SCRIPT = """
import time
import jax  # has happened when JAX loads its plug-ins
start = time.perf_counter()
import jax_oneshot.plugin
jax_oneshot.plugin.initialize()
print((time.perf_counter() - start) * 1e3)
"""


def measure(rounds: int) -> float:
    """Median milliseconds of importing the entry point and calling it, over `rounds` fresh processes."""
    _measure_one()  # leaves .pyc files behind, as an installation does
    return statistics.median(_measure_one() for _ in range(rounds))


def _measure_one() -> float:
    unset = ("JAX_ONESHOT", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, stdout=subprocess.PIPE, check=True)
    return float(done.stdout)
