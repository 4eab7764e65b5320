# SPDX-License-Identifier: Apache-2.0
"""Where NVIDIA's libraries are searched for."""

from __future__ import annotations

import pathlib

import pytest
from jax_oneshot import nvidia_libraries
from jax_process import RunPython


@pytest.fixture
def packages(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for package in ("cu12", "cu13"):
        (tmp_path / "site" / "nvidia" / package / "lib").mkdir(parents=True)
    (tmp_path / "site" / "nvidia" / "headers_only").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path / "empty"), str(tmp_path / "site")])
    return tmp_path / "site" / "nvidia"


def test_every_package_with_libraries_is_found_the_newer_first(packages: pathlib.Path) -> None:
    assert nvidia_libraries.folders() == [str(packages / "cu13" / "lib"), str(packages / "cu12" / "lib")]


def test_the_native_module_is_told(packages: pathlib.Path) -> None:
    environ: dict[str, str] = {}
    nvidia_libraries.tell_native(environ)
    assert environ == {nvidia_libraries.VARIABLE: f"{packages / 'cu13' / 'lib'}:{packages / 'cu12' / 'lib'}"}


def test_what_the_user_says_stands(packages: pathlib.Path) -> None:
    environ = {nvidia_libraries.VARIABLE: "/mine"}
    nvidia_libraries.tell_native(environ)
    assert environ == {nvidia_libraries.VARIABLE: "/mine"}


@pytest.mark.parametrize(("on", "is_told"), [("1", True), ("0", False)])
def test_the_plug_in_tells_it_only_when_it_is_on(run_python: RunPython, on: str, is_told: bool) -> None:
    script = f"import jax, json, os; jax.devices(); print(json.dumps({nvidia_libraries.VARIABLE!r} in os.environ))"
    assert run_python.script(script, env={"JAX_ONESHOT": on}).json() is is_told
