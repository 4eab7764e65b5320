"""Fixtures that several test files share."""

from __future__ import annotations

import pathlib

import pytest
from jax_process import JAX_VERSIONS, RunPython


@pytest.fixture
def run_python(tmp_path: pathlib.Path) -> RunPython:
    """Runs Python in a subprocess, in the test's own folder."""
    return RunPython(tmp_path)


@pytest.fixture(params=list(JAX_VERSIONS.values()), ids=list(JAX_VERSIONS))
def jax_version(request: pytest.FixtureRequest) -> pathlib.Path | None:
    """Each supported version of JAX, for the `jax` argument of `run_python`."""
    folder: pathlib.Path | None = request.param
    if folder is not None and not folder.is_dir():
        pytest.fail(f"{folder} is missing; `make build` sets it up")
    return folder
