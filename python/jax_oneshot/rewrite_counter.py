"""Numbers the rewrites of this process, and says how many of a module's JAX_ONESHOT_LIMIT allows.

Rewrites are numbered from 1 in the order in which modules are decided, whatever they are compiled for: with the same
program and the same order, number 17 is the same rewrite in every run, which is what bisecting needs.
"""

from __future__ import annotations

import threading


class RewriteCounter:
    """Counts for all hooks of a process; its lock is held for a few additions, never while anything is compiled."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: how many rewrites may be made; None: any number."""
        self._limit = limit
        self._made = 0
        self._lock = threading.Lock()

    def take(self, wanted: int) -> tuple[int, int]:
        """Gives one module the next numbers.

        Args:
          wanted: how many rewrites the module would make without a limit.

        Returns:
          How many it may make, the first ones; and how many had been made before.
        """
        with self._lock:
            before = self._made
            granted = wanted if self._limit is None else min(wanted, max(0, self._limit - before))
            self._made += granted
            return granted, before

    def cache_key(self) -> str:
        """What the next module's rewrites depend on: with a limit, on how many were made before it."""
        return "" if self._limit is None else f"rewrites_before={self._made};"
