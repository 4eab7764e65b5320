# SPDX-License-Identifier: Apache-2.0
"""Executables saved by one process and loaded by another, whose JAX_ONESHOT, version or installation differs."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
from jax_process import MODEL, Finished, RunPython

# XLA's message for a custom call that is not registered; a heading of docs/troubleshooting.md.
XLA_NOT_REGISTERED = "No FFI handler registered for jax_oneshot.all_reduce on a platform"

OUTPUT = """
import json
def show(run):
    print(json.dumps(np.asarray(run(*arguments), np.float32).tolist()))
"""
SAVE_EXECUTABLE = """
import pathlib, pickle
from jax.experimental import serialize_executable
compiled = step.lower(*arguments).compile()
pathlib.Path("saved").write_bytes(pickle.dumps(serialize_executable.serialize(compiled)))
show(compiled)
"""
LOAD_EXECUTABLE = """
import pathlib, pickle
from jax.experimental import serialize_executable
show(serialize_executable.deserialize_and_load(*pickle.loads(pathlib.Path("saved").read_bytes())))
"""
SAVE_EXPORT = """
import pathlib
from jax import export
pathlib.Path("saved").write_bytes(export.export(step)(*arguments).serialize())
show(step)
"""
LOAD_EXPORT = """
import pathlib
from jax import export
loaded = jax.jit(export.deserialize(bytearray(pathlib.Path("saved").read_bytes())).call)
print("calls:", loaded.lower(*arguments).compile().as_text().count('custom_call_target="jax_oneshot.all_reduce"'))
show(loaded)
"""
WITHOUT_NATIVE = "import sys; sys.modules['jax_oneshot._native'] = None\n"

Run = Callable[..., Finished]


def runner(run_python: RunPython, jax: pathlib.Path | None) -> Run:
    """Runs a script after the model's; `on`: JAX_ONESHOT. All share one folder, so that saved files can be loaded."""

    def run(script: str, on: int, before: str = "", **env: str) -> Finished:
        return run_python.script(before + MODEL + OUTPUT + script, jax=jax, env={"JAX_ONESHOT": str(on), **env})

    return run


@pytest.fixture
def run(run_python: RunPython, jax_version: pathlib.Path | None) -> Run:
    """`runner` on each supported version of jax."""
    return runner(run_python, jax_version)


@pytest.fixture
def run_newest(run_python: RunPython) -> Run:
    """`runner` on the newest supported version of jax."""
    return runner(run_python, None)


@pytest.mark.parametrize(("saver", "loader"), [(0, 1), (1, 0), (1, 1)])
def test_a_saved_executable_gives_the_same_bits_wherever_it_is_loaded(run: Run, saver: int, loader: int) -> None:
    saved = run(SAVE_EXECUTABLE, saver)
    loaded = run(LOAD_EXECUTABLE, loader)
    assert loaded.json() == saved.json()
    assert loaded.stderr == saved.stderr


def test_only_a_saver_with_the_variable_puts_calls_into_an_executable(run_newest: Run, tmp_path: pathlib.Path) -> None:
    for on in (0, 1):
        run_newest(SAVE_EXECUTABLE, on).json()
        assert (b"jax_oneshot.all_reduce" in (tmp_path / "saved").read_bytes()) == bool(on)


@pytest.mark.parametrize(("saver", "loader"), [(0, 1), (1, 0), (1, 1)])
def test_an_exported_program_is_fused_where_it_is_compiled(run: Run, saver: int, loader: int) -> None:
    run(SAVE_EXPORT, saver).json()
    loaded = run(LOAD_EXPORT, loader)
    assert f"calls: {loader}" in loaded.stdout
    assert loaded.json() == run(SAVE_EXPORT, loader).json()


def test_the_native_module_is_loaded_by_the_first_saved_executable_and_not_before(run_newest: Run) -> None:
    native = "\nimport sys; print('native:', 'jax_oneshot._native' in sys.modules)\n"
    run_newest(SAVE_EXECUTABLE, 1).json()
    done = run_newest("show(step)" + native + LOAD_EXECUTABLE + native, 0)
    assert [line for line in done.stdout.splitlines() if "native:" in line] == ["native: False", "native: True"]


def test_a_mistake_in_the_configuration_keeps_no_saved_executable_from_running(run_newest: Run) -> None:
    saved = run_newest(SAVE_EXECUTABLE, 1)
    loaded = run_newest(LOAD_EXECUTABLE, 1, JAX_ONESHOT_LIMIT="many")
    assert loaded.json() == saved.json()
    assert "not in use, nothing will be fused" in loaded.stderr


def test_a_saved_executable_without_the_native_module_says_what_is_missing_once(run: Run) -> None:
    run(SAVE_EXECUTABLE, 1).json()
    done = run(LOAD_EXECUTABLE, 0, WITHOUT_NATIVE)
    assert done.status != 0
    assert done.stderr.count("a saved executable holds one-shot calls, since it was compiled with JAX_ONESHOT=1") == 1
    assert "the native module jax_oneshot._native does not load" in done.stderr
    assert XLA_NOT_REGISTERED in done.stderr


def test_an_executable_without_calls_says_nothing_of_a_missing_native_module(run_newest: Run) -> None:
    run_newest(SAVE_EXECUTABLE, 0).json()
    assert "jax_oneshot" not in run_newest(LOAD_EXECUTABLE, 0, WITHOUT_NATIVE).stderr


def test_an_executable_of_another_version_is_refused_with_what_to_do(run_newest: Run, tmp_path: pathlib.Path) -> None:
    run_newest(SAVE_EXECUTABLE, 1).json()
    saved = tmp_path / "saved"
    assert saved.read_bytes().count(b"v1 (a0: ") >= 1
    saved.write_bytes(saved.read_bytes().replace(b"v1 (a0: ", b"v9 (a0: "))
    done = run_newest(LOAD_EXECUTABLE, 0)
    assert done.status != 0
    assert "expected the version 'v1'" in done.stderr
    assert "The call was probably compiled by another version of jax-oneshot and then saved" in done.stderr
