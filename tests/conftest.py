# SPDX-License-Identifier: Apache-2.0
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that look at what all golden tests did come last, and only where all of those run."""
    last = [item for item in items if item.get_closest_marker("needs_whole_run")]
    if not last:
        return
    golden = {path.name for path in pathlib.Path(__file__).parent.rglob("test_pass_*.py")}
    if not golden <= {item.path.name for item in items}:
        for item in last:
            item.add_marker(
                pytest.mark.skip(reason="counts what all golden tests (test_pass_*.py) provoke; run those too")
            )
    items[:] = [item for item in items if item not in last] + last
