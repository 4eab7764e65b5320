# SPDX-License-Identifier: Apache-2.0
"""Runs a probe in a child process and returns the JSON it prints, or one sentence on how it ended."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_TIMEOUT_S = 120.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """Attributes: the JSON object that the probe printed; one sentence if it printed none; its stderr."""

    facts: dict[str, Any]
    failure: str
    stderr: str


def ask(module: str, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Answer:
    """Runs `python -m module` with this process's environment, updated with `environment`. Never raises OSError."""
    root = str(pathlib.Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer({}, f"{module} did not end: {error}", "")
    try:
        facts = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        facts = None
    if isinstance(facts, dict):
        return Answer(facts, "", done.stderr)
    return Answer({}, _how_it_ended(done.returncode, done.stderr), done.stderr)


def _how_it_ended(status: int, stderr: str) -> str:
    last = next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "it printed nothing")
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return f"{last} (ended with {how})"
