# SPDX-License-Identifier: Apache-2.0
"""The table of operations: functions that emit one or a few statements, each with a weight."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from programs.builder import Builder, Unfit

Function = Callable[[Builder], None]


@dataclasses.dataclass(frozen=True)
class Operation:
    """Attributes: the function, and the arguments of `operation`."""

    function: Function
    weight: float
    manual: bool
    automatic: bool
    collective: bool
    smooth: bool
    max_depth: int


TABLE: dict[str, Operation] = {}


def operation(
    weight: float = 1.0,
    *,
    manual: bool = True,
    automatic: bool = True,
    collective: bool = False,
    smooth: bool = False,
    max_depth: int = 9,
) -> Callable[[Function], Function]:
    """Adds the decorated function to TABLE.

    Args:
      weight: relative frequency.
      manual: allowed under shard_map.
      automatic: allowed where GSPMD partitions.
      collective: all ranks of a group must reach it together.
      smooth: its gradients are meaningful.
      max_depth: of nested functions in which it is allowed.
    """

    def enter(function: Function) -> Function:
        name = getattr(function, "__name__", "")
        if name in TABLE:
            raise ValueError(f"two operations are called {name}")
        TABLE[name] = Operation(function, weight, manual, automatic, collective, smooth, max_depth)
        return function

    return enter


def add_random(builder: Builder, steps: int, *, collectives: bool = True, smooth_only: bool = False) -> None:
    """Adds `steps` random operations that fit."""
    chosen = [
        entry
        for entry in TABLE.values()
        if (entry.manual if builder.manual else entry.automatic)
        and (collectives or not entry.collective)
        and (entry.smooth or not smooth_only)
        and builder.depth <= entry.max_depth
    ]
    weights = [entry.weight for entry in chosen]
    for _ in range(steps):
        for entry in builder.random.choices(chosen, weights, k=20):
            before = len(builder.statements)
            try:
                entry.function(builder)
            except Unfit:
                if len(builder.statements) == before:
                    continue
            break
