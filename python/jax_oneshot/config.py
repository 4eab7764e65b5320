# SPDX-License-Identifier: Apache-2.0
"""Config: the settings from environment variables. A ConfigError reports every mistake at once."""

from __future__ import annotations

import dataclasses
import difflib
import math
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax_oneshot
from jax_oneshot import message_limits

Platform = Literal["cpu", "cuda"]
PLATFORMS: tuple[Platform, ...] = ("cpu", "cuda")

# How long a rank waits when JAX_ONESHOT_TIMEOUT_S is unset. On CPU the ranks are threads of one process that start a
# program together. On GPUs they may be processes, and one may still be compiling or loading data while the others wait,
# as they would in NCCL's all-reduce, which has no deadline; after ten minutes something is wrong.
DEFAULT_TIMEOUTS_S: dict[Platform, float] = {"cpu": 30.0, "cuda": 600.0}
_MAX_TIMEOUT_S = 24 * 3600.0


@dataclasses.dataclass(frozen=True)
class Variable:
    """One environment variable.

    Attributes:
      field: the field of `Config` that it sets.
      parse: converts its text to a value; raises ValueError that says what was expected.
      meaning: what it does, in Markdown; README and docs/environment.md show it.
      default: what applies when it is unset, in Markdown.
      values: what it accepts, in Markdown.
    """

    field: str
    parse: Callable[[str], Any]
    meaning: str
    default: str
    values: str


class ConfigError(ValueError):
    """The environment has invalid values or unknown JAX_ONESHOT_* names; the message has one line per mistake."""


@dataclasses.dataclass(frozen=True)
class Config:
    """The user's configuration of the pass; README's table of variables documents it.

    Attributes:
      enabled: whether modules are rewritten at all.
      dump_to: folder for before/after/report files, or None.
      max_bytes: largest message per rank to rewrite in bytes, or None for the platform's default.
      modules: only modules whose name contains a match are rewritten; None means all.
      timeout_s: seconds a rank waits for its peers before the call fails, or None for the platform's default.
      limit: only the first `limit` rewrites of this process are made; None means all.
      calls_per_graph: on GPUs, how many calls go into one CUDA graph; 0 means all, None the pass's own rule.
    """

    enabled: bool = False
    dump_to: pathlib.Path | None = None
    max_bytes: int | None = None
    modules: re.Pattern[str] | None = None
    timeout_s: float | None = None
    limit: int | None = None
    calls_per_graph: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Config:
        """Reads the JAX_ONESHOT* variables; an empty one counts as unset.

        Raises:
          ConfigError: a value is invalid, or a JAX_ONESHOT_* name does not exist.
        """
        fields: dict[str, Any] = {}
        mistakes: list[str] = []
        for name in sorted(environ):
            if name not in VARIABLES:
                if name.startswith("JAX_ONESHOT_"):
                    mistakes.append(_unknown_variable(name))
                continue
            value = environ[name].strip()
            if not value:
                continue
            variable = VARIABLES[name]
            try:
                fields[variable.field] = variable.parse(value)
            except ValueError as error:
                mistakes.append(f"{name}={value!r}: {error}")
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        return cls(**fields)

    def limits_for(self, platform: Platform, architecture: int | None = None) -> list[int]:
        """Largest message per rank to rewrite, in bytes, indexed by group size (0 to message_limits.LARGEST_GROUP).

        Args:
          platform: what the module is compiled for.
          architecture: compute capability of the GPU (90 for sm_90); None: no GPU is present.
        """
        limits = message_limits.default_limits(platform, architecture)
        return limits if self.max_bytes is None else [self.max_bytes] * len(limits)

    def timeout_ms_for(self, platform: Platform) -> int:
        """The deadline as the pass writes it into each call: whole milliseconds, at least one."""
        seconds = DEFAULT_TIMEOUTS_S[platform] if self.timeout_s is None else self.timeout_s
        return max(1, round(seconds * 1000))

    def rewrites(self, module: str) -> bool:
        """Whether JAX_ONESHOT_MODULES allows rewriting the module of this name."""
        return self.modules is None or self.modules.search(module) is not None

    def fingerprint(self, architecture: int | None = None) -> str:
        """Every setting that affects a compiled module: part of the compilation cache's key.

        The dump folder is not in it: dumping does not change an executable.

        Args:
          architecture: compute capability of the GPU (90 for sm_90); None: no GPU is present.
        """
        limits = ",".join(f"{platform}:{self.limits_for(platform, architecture)}" for platform in PLATFORMS)
        two_shot_from = message_limits.default_two_shot_from("cuda", architecture)
        timeouts = ",".join(f"{platform}:{self.timeout_ms_for(platform)}" for platform in PLATFORMS)
        pattern = "" if self.modules is None else self.modules.pattern
        return (
            f"jax_oneshot={jax_oneshot.__version__};enabled={int(self.enabled)};max_bytes={limits};"
            f"two_shot_from={two_shot_from};"
            f"timeout_ms={timeouts};modules={pattern};limit={self.limit};"
            f"calls_per_graph={self.calls_per_graph}"
        )


def _one_or_zero(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError("expected 1 (on) or 0 (off)")
    return value == "1"


def _byte_count(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError("expected a whole number of bytes, without a unit, such as 262144")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise ValueError(f"expected a number of seconds above 0 and at most {_MAX_TIMEOUT_S:.0f}")
    return seconds


def _pattern(value: str) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression (Python's re); {error}") from error


def _unknown_variable(name: str) -> str:
    nearest = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0)
    return f"{name} is not a variable of jax-oneshot; did you mean {nearest[0]}? Known: {', '.join(VARIABLES)}"


def _rewrite_count(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError("expected a whole number of rewrites, 0 or more, such as 12")
    return int(value)


def _call_count(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ValueError("expected a whole number of calls, 0 or more, such as 4")
    return int(value)


_EXAMPLE_LIMIT = message_limits.default_limits("cuda", 90)[8]

VARIABLES: dict[str, Variable] = {
    "JAX_ONESHOT": Variable("enabled", _one_or_zero, "`1` on, `0` or unset off", default="off", values="`0` or `1`"),
    "JAX_ONESHOT_DUMP_TO": Variable(
        "dump_to",
        lambda value: pathlib.Path(value).expanduser(),
        "folder for HLO before and after, and a [report](docs/report.md) of every module",
        default="nothing is written",
        values="a folder; created if missing",
    ),
    "JAX_ONESHOT_MAX_BYTES": Variable(
        "max_bytes",
        _byte_count,
        "largest message per rank to rewrite",
        default=f"{message_limits.CPU_LIMIT} (cpu); on GPUs by architecture and group size, {_EXAMPLE_LIMIT} (8 H100)",
        values="a whole number of bytes",
    ),
    "JAX_ONESHOT_MODULES": Variable(
        "modules",
        _pattern,
        "regular expression; only modules whose name matches are rewritten",
        default="all modules",
        values="a regular expression of Python's `re`, searched for in the name",
    ),
    "JAX_ONESHOT_TIMEOUT_S": Variable(
        "timeout_s",
        _seconds,
        "how long a rank waits for a missing one before the call fails",
        default=", ".join(f"{seconds:g} ({platform})" for platform, seconds in DEFAULT_TIMEOUTS_S.items()),
        values=f"seconds, above 0 and at most {_MAX_TIMEOUT_S:.0f}",
    ),
    "JAX_ONESHOT_LIMIT": Variable(
        "limit",
        _rewrite_count,
        "make only this many rewrites in the process, the first ones; for [bisecting](docs/bisect.md)",
        default="all rewrites",
        values="a whole number, 0 or more",
    ),
    "JAX_ONESHOT_GRAPH_CALLS": Variable(
        "calls_per_graph",
        _call_count,
        "on GPUs, how many calls go into one [CUDA graph](docs/gpu.md#cuda-graphs); `0`: all",
        default="all, or 4 where a step's results get new memory in every run",
        values="a whole number, 0 or more",
    ),
}
