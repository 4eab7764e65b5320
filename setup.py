# SPDX-License-Identifier: Apache-2.0
"""Builds the native module with Bazel when pip builds jax_oneshot.

Environment:
  ONESHOT_NATIVE_MODULE  an already built _native.abi3.so to use instead of running Bazel
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent
TARGET = "//python/native:_native.abi3.so"


def package_folder(name: str) -> pathlib.Path:
    """Folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"setup.py: the build needs the Python package {name}; pyproject.toml's build-system names it")
    return pathlib.Path(spec.origin).parent


def run(*command: str, **environment: str) -> str:
    """Runs a command in the source tree and returns its standard output; its stderr is passed through."""
    finished = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=False
    )
    if finished.returncode != 0:
        raise SystemExit(f"setup.py: `{' '.join(command)}` failed: status {finished.returncode}; see its output above")
    return finished.stdout.strip()


def build_with_bazel() -> pathlib.Path:
    """Builds the native module against this interpreter's headers, nanobind and jaxlib."""
    # Building a wheel must not change the system: missing Debian packages are reported, not installed.
    run("tools/setup", "packages", "bazel", ONESHOT_APT="never", PYTHON=os.environ.get("PYTHON", sys.executable))
    places = {
        "ONESHOT_PYTHON": sys.executable,
        "ONESHOT_NANOBIND": str(package_folder("nanobind")),
        "ONESHOT_XLA_INCLUDE": str(package_folder("jaxlib") / "include"),
    }
    run("tools/bazel", "build", TARGET, **places)
    return pathlib.Path(run("tools/bazel", "info", "bazel-bin", **places)) / "python/native/_native.abi3.so"


class BazelBuildExt(build_ext):
    """Builds the extension with Bazel instead of setuptools' compiler."""

    def build_extension(self, ext: Extension) -> None:
        """Puts the native module where setuptools expects it: into the wheel, or in place for an editable install."""
        given = os.environ.get("ONESHOT_NATIVE_MODULE")
        built = pathlib.Path(given) if given else build_with_bazel()
        if not built.is_file():
            raise SystemExit(f"setup.py: no native module at {built} (ONESHOT_NATIVE_MODULE={given})")
        target = pathlib.Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(built, target)


setup(
    ext_modules=[Extension("jax_oneshot._native", sources=[], py_limited_api=True)],
    cmdclass={"build_ext": BazelBuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp312"}},
)
