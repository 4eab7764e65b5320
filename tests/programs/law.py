# SPDX-License-Identifier: Apache-2.0
"""The law: what results with the pass on must satisfy, given those without it and samples in float64 (`reference`).

- Integers and booleans: equal to XLA's own or to float64's, unless some sample differs from float64 there.
- Floats: the error against float64 of an element, in shares, is at most 1, or `FACTOR` times the largest error of XLA's
  own array if that is more. A share is the largest error of the samples at that element (they take up to
  `reference.NOISE` roundings at every operation) plus two units in the last place.
- An infinity or a NaN only where float64, a sample, or XLA without the pass has one, or float64 is near overflow.
- Ranks that have equal bits without the pass have equal bits with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

FACTOR = 2.0
Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Breach:
    """Attributes: index of the output; what is wrong with it."""

    output: int
    what: str


def breaches(
    off: Sequence[Array], on: Sequence[Array], samples: Sequence[Sequence[Array]], ranks: bool
) -> list[Breach]:
    """Every output that breaks the law.

    Args:
      off: outputs without the pass.
      on: outputs with it.
      samples: outputs in float64, the undisturbed ones first.
      ranks: whether the first dimension of every output is the rank.
    """
    found = []
    for number, (plain, fused) in enumerate(zip(off, on, strict=True)):
        exact, *moved = (sample[number] for sample in samples)
        compare = floats_differ if jnp_float(plain) else integers_differ
        what = shapes_differ(plain, fused, exact) or compare(plain, fused, exact, moved)
        if not what and ranks:
            what = ranks_differ(plain, fused)
        if what:
            found.append(Breach(number, f"{plain.dtype}{list(plain.shape)}: {what}"))
    return found


def jnp_float(array: Array) -> bool:
    """Whether the array has floats, including ml_dtypes' types."""
    return array.dtype.kind not in "iub"


def shapes_differ(plain: Array, fused: Array, exact: Array) -> str:
    shapes = {plain.shape, fused.shape, exact.shape}
    if len(shapes) > 1 or plain.dtype != fused.dtype:
        return f"{fused.dtype}{list(fused.shape)} with the pass on; float64 gives {list(exact.shape)}"
    return ""


def integers_differ(plain: Array, fused: Array, exact: Array, moved: Sequence[Array]) -> str:
    settled = np.ones(plain.shape, bool)
    for sample in moved:
        settled &= sample == exact
    wrong = settled & (fused != plain) & (fused.astype(np.int64) != exact.astype(np.int64))
    return _first(wrong, plain, fused, exact)


def floats_differ(plain: Array, fused: Array, exact: Array, moved: Sequence[Array]) -> str:
    info = ml_dtypes.finfo(plain.dtype)  # type: ignore[no-untyped-call]
    with np.errstate(all="ignore"):
        wide_off, wide_on = plain.astype(np.float64), fused.astype(np.float64)
        finite = np.isfinite(exact) & np.isfinite(wide_off) & (np.abs(exact) < float(info.max) / 4)
        share = 2 * float(info.eps) * np.abs(exact) + 4 * float(info.smallest_normal)
        for sample in moved:
            finite &= np.isfinite(sample)
            share = np.maximum(share, np.abs(sample - exact) + 2 * float(info.eps) * np.abs(exact))
        wrong = finite & ~np.isfinite(wide_on)
        if wrong.any():
            return "not finite: " + _first(wrong, plain, fused, exact)
        off_by = np.where(finite, np.abs(wide_off - exact) / share, 0)
        on_by = np.where(finite, np.abs(wide_on - exact) / share, 0)
    allowed = max(1.0, FACTOR * float(off_by.max(initial=0)))
    wrong = on_by > allowed
    return _first(wrong, plain, fused, exact) + (
        f"; {on_by.max():.3g} shares, allowed {allowed:.3g}" if wrong.any() else ""
    )


def ranks_differ(plain: Array, fused: Array) -> str:
    for rank in range(1, len(plain)):
        same = plain[rank].tobytes() == plain[0].tobytes()
        if same and fused[rank].tobytes() != fused[0].tobytes():
            return f"rank {rank} holds other bits than rank 0, as it does not without the pass"
    return ""


def _first(wrong: Array, plain: Array, fused: Array, exact: Array) -> str:
    if not wrong.any():
        return ""
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    values = f"{fused[place]} with the pass on, {plain[place]} off, {exact[place]} in float64"
    return f"{int(wrong.sum())} of {wrong.size} elements wrong, first at {list(place)}: {values}"
