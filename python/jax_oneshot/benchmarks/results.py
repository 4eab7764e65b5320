# SPDX-License-Identifier: Apache-2.0
"""Merges the figures of one benchmark into a JSON file that records machine, versions and date."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

import jax_oneshot
from jax_oneshot.dumps import write_atomically

SCHEMA = 1


def merge(
    path: pathlib.Path,
    ratios: Mapping[str, Any],
    details: Mapping[str, Any],
    *,
    where: Mapping[str, Any] | None = None,
    what: Mapping[str, str] | None = None,
) -> bool:
    """Replaces `ratios` and `details` of the same names in the file and keeps the others.

    Figures of another machine or other versions are not comparable and are dropped.

    Args:
      path: the JSON file.
      ratios: dimensionless figures, by name.
      details: the figures behind them, by name.
      where: the machine (default: machine()).
      what: versions (default: versions()).

    Returns:
      Whether figures were dropped.

    Raises:
      OSError: the file cannot be read or written.
      ValueError: the file exists but does not hold results.
    """
    stamp = {"schema": SCHEMA, "machine": where or machine(), "versions": what or versions()}
    old = _read(path)
    kept = all(old.get(name) == value for name, value in stamp.items())
    merged = {
        **stamp,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "ratios": {**(old.get("ratios", {}) if kept else {}), **ratios},
        "details": {**(old.get("details", {}) if kept else {}), **details},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(merged, indent=1) + "\n").encode())
    return bool(old) and not kept


def machine() -> dict[str, Any]:
    """The machine that the figures depend on: model and number of cores of the CPU, and the system."""
    return {"cpu": _cpu_model(), "cores": os.cpu_count(), "system": platform.system(), "machine": platform.machine()}


def versions() -> dict[str, str]:
    """Versions of the software that was measured."""
    packages = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
    return {"jax_oneshot": jax_oneshot.__version__, **packages, "python": platform.python_version()}


def _cpu_model() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold results of this benchmark; name another file with --out")
    return content
