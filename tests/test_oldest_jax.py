"""In: the tests marked `both_jax`. Out: one result: all of them passed on the oldest supported jax, too.

`tools/setup venv` puts that jax beside the newest one; a path in front of the others is all it takes to run on it.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
OLDEST = ROOT / ".venv" / "jax-0.11.2"


def test_what_runs_on_the_newest_jax_runs_on_the_oldest() -> None:
    environment = {**os.environ, "PYTHONPATH": str(OLDEST)}
    versions = "import jax, jaxlib; print(jax.__version__, jaxlib.__version__)"
    found = subprocess.run([sys.executable, "-c", versions], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0.11.2", "0.11.2"]

    command = [sys.executable, "-m", "pytest", "-q", "-m", "both_jax", "-p", "no:cacheprovider", "tests"]
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        pytest.fail("no test carries the mark both_jax: nothing was tried on the oldest jax")
    assert finished.returncode == 0, finished.stdout[-8000:] + finished.stderr[-4000:]
