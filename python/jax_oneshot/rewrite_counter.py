"""In: every run of the pass in this process. Out: the numbers of its rewrites, and how many JAX_ONESHOT_LIMIT leaves.

Rewrites are numbered from 1 in the order of compilation, whatever they are compiled for: with the same program and the
same order, number 17 is the same rewrite in every run, which is what bisecting needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

UNLIMITED = -1  # as the native run_pass's max_rewrites


class HasReport(Protocol):
    """What a run of the pass returns, as far as it matters here."""

    @property
    def report(self) -> Mapping[str, Any]:
        """PassReport of xla_pass/run_pass.h as a dict."""


class RewriteCounter:
    """Counts for all hooks of a process."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: how many rewrites may be made; None: any number."""
        self._limit = limit
        self._made = 0
        self._lock = threading.Lock()

    def count[Result: HasReport](self, run_pass: Callable[[int], Result]) -> tuple[Result, int]:
        """Runs the pass; modules that compile at once take turns, so that each gets numbers of its own.

        Args:
          run_pass: gets how many rewrites are left, or UNLIMITED.

        Returns:
          What `run_pass` returned, and how many rewrites had been made before.
        """
        with self._lock:
            before = self._made
            result = run_pass(UNLIMITED if self._limit is None else self._limit - before)
            self._made += result.report["rewrites"]
            return result, before

    def cache_key(self) -> str:
        """What the next module's rewrites depend on: with a limit, on how many were made before it."""
        return "" if self._limit is None else f"rewrites_before={self._made};"
