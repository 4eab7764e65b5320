# SPDX-License-Identifier: Apache-2.0
"""Numbers the rewrites of this process, and says how many of a module's rewrites JAX_ONESHOT_LIMIT allows.

Rewrites are numbered from 1 in the order in which modules are compiled, on all platforms: with the same program and the
same order, number 17 is the same rewrite in every run, which bisecting relies on.
"""

from __future__ import annotations

import threading


class RewriteCounter:
    """The counter that all hooks of a process share; its lock is held for a few additions, never during a compile."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: how many rewrites may be made; None: any number."""
        self._limit = limit
        self._made = 0
        self._lock = threading.Lock()

    def take(self, wanted: int) -> tuple[int, int]:
        """Gives the next numbers to one module.

        Args:
          wanted: how many rewrites the module would make without a limit.

        Returns:
          How many it may make (its first ones), and how many the process made before.
        """
        with self._lock:
            before = self._made
            granted = wanted if self._limit is None else min(wanted, max(0, self._limit - before))
            self._made += granted
            return granted, before

    def cache_key(self) -> str:
        """What the next module's rewrites depend on: with a limit, on how many were made before it."""
        return "" if self._limit is None else f"rewrites_before={self._made};"
