# SPDX-License-Identifier: Apache-2.0
"""Loads the native modules, or raises an error that says how to get them."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import pathlib
from typing import Any


class NativeMissingError(ImportError):
    """A native module is missing or does not load."""


def load() -> Any:
    """The native module; see `_native.pyi` for its functions.

    Raises:
      NativeMissingError: it was not built, or was built for another Python or machine.
    """
    return _load("_native", "In a source tree run `make build`; else reinstall jax-oneshot.")


def load_bench() -> Any:
    """The native module of the kernel benchmark; see `_bench.pyi` for its class. Wheels do not hold it.

    Raises:
      NativeMissingError: it was not built, or was built for another Python or machine.
    """
    return _load("_bench", "Wheels do not hold it: in a source tree run `make bench ARGS=kernel`.")


def has_bench() -> bool:
    """Whether the kernel benchmark's native module is there; it is not loaded."""
    return importlib.util.find_spec("jax_oneshot._bench") is not None


def _load(name: str, remedy: str) -> Any:
    try:
        return importlib.import_module(f"jax_oneshot.{name}")
    except ImportError as error:
        raise NativeMissingError(f"the native module jax_oneshot.{name} does not load: {error}. {remedy}") from error


@functools.cache
def digest() -> str:
    """Hash of the native module's file, 16 hex digits: two builds of one version may rewrite differently."""
    file = load().__file__
    return hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()[:16] if file else "none"
