# SPDX-License-Identifier: Apache-2.0
"""Types of the doctor's findings and verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

# stop: fusion does not work on the finding's platforms; warn: it works, but not as the user may expect.
Level = Literal["ok", "info", "warn", "stop"]
PLATFORMS = ("cpu", "cuda")


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
      topic: what was checked, `jaxlib loaded`.
      value: what was found.
      level: its severity.
      fix: the command or change that fixes it; empty if there is nothing to fix.
      platforms: the platforms it concerns.
    """

    topic: str
    value: str
    level: Level = "info"
    fix: str = ""
    platforms: Sequence[str] = PLATFORMS


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict on one platform.

    Attributes:
      platform: `cpu` or `cuda`.
      state: `works`; `stopped`: something prevents fusion; `absent`: this machine does not have the platform.
      sentence: explains the state.
      fixes: commands or changes that make fusion work.
    """

    platform: str
    state: Literal["works", "stopped", "absent"]
    sentence: str
    fixes: Sequence[str] = ()
