# SPDX-License-Identifier: Apache-2.0
"""Finds the first rewrite that makes a program wrong, by bisection over the number of rewrites.

With limit N only the first N rewrites are made. The program is right with 0 rewrites and wrong with all of them, so
bisection finds an N that is wrong while N - 1 is right. Rewrite N is then at fault, alone or together with earlier
ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


class NothingToFindError(Exception):
    """The program is wrong without any rewrite, or right with all of them; the message says which."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the program.

    Attributes:
      is_right: whether the program behaved correctly.
      rewrites: how many rewrites it made.
    """

    is_right: bool
    rewrites: int


def first_wrong(run: Callable[[int | None], Run], progress: Callable[[str], None]) -> int:
    """Number, from 1, of the rewrite that turns the program wrong.

    Args:
      run: runs the program with at most that many rewrites; None: with all.
      progress: called with one line per run.

    Raises:
      NothingToFindError: there is no such rewrite.
    """

    def told(limit: int | None) -> Run:
        done = run(limit)
        shown = f"all {done.rewrites} rewrites" if limit is None else f"{limit} rewrites"
        progress(f"with {shown}: {'right' if done.is_right else 'WRONG'}")
        return done

    everything = told(None)
    if everything.is_right:
        raise NothingToFindError(f"the program is right with all of its {everything.rewrites} rewrites")
    if everything.rewrites == 0:
        raise NothingToFindError("the program made no rewrite, so none can be at fault; `jax-oneshot doctor` says why")
    if not told(0).is_right:
        raise NothingToFindError("the program is wrong without any rewrite too, so the pass is not at fault")
    right, wrong = 0, everything.rewrites
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if told(middle).is_right:
            right = middle
        else:
            wrong = middle
    return wrong
