"""Loads the native module `jax_oneshot._native`, or raises an error that says how to get it."""

from __future__ import annotations

import functools
import hashlib
import importlib
import pathlib
from typing import Any


class NativeMissingError(ImportError):
    """The native module is missing or does not load."""


def load() -> Any:
    """The native module; see `_native.pyi` for its functions.

    Raises:
      NativeMissingError: it was not built, or was built for another Python or machine.
    """
    try:
        return importlib.import_module("jax_oneshot._native")
    except ImportError as error:
        raise NativeMissingError(
            f"the native module jax_oneshot._native does not load: {error}. "
            "In a source tree run `make build`; else reinstall jax-oneshot."
        ) from error


@functools.cache
def digest() -> str:
    """Hash of the native module's file, 16 hex digits: two builds of one version may rewrite differently."""
    file = load().__file__
    return hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()[:16] if file else "none"
