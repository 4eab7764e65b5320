"""Types of what the doctor finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

# stop: fusion does not work on the finding's platforms; warn: it works, but not as the user may think.
Level = Literal["ok", "info", "warn", "stop"]
PLATFORMS = ("cpu", "cuda")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
      topic: what was looked at, `jaxlib`.
      value: what was found.
      level: what it means.
      fix: the command or change that mends it; empty when there is nothing to mend.
      platforms: whom it concerns.
    """

    topic: str
    value: str
    level: Level = "info"
    fix: str = ""
    platforms: Sequence[str] = PLATFORMS


@dataclasses.dataclass(frozen=True)
class Verdict:
    """On one platform.

    Attributes:
      platform: `cpu` or `cuda`.
      state: `works`; `stopped`: something is in the way; `absent`: nothing of this platform is here to work on.
      sentence: for a person.
      fixes: one command or change for each thing in the way.
    """

    platform: str
    state: Literal["works", "stopped", "absent"]
    sentence: str
    fixes: Sequence[str] = ()
