# SPDX-License-Identifier: Apache-2.0
"""`bench decode --prompts`: milliseconds to the first token, for prompts of several lengths, off and on.

All tokens of a prompt pass through the model at once, so its all-reduces are large: length x hidden per sequence. The
host waits for each first token, as a server does. The processes of all variants run at the same time and take turns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_oneshot.benchmarks.decode.fleet import Fleet, Layout
from jax_oneshot.benchmarks.decode.measure import spread, subject
from jax_oneshot.benchmarks.decode.variants import Variant

_TIMES = 5  # prompts per turn; the result of a turn is their median


@dataclasses.dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
      model: fields of a ModelConfig; its max_len is at least the longest prompt.
      layout: where the ranks are.
      variants: off first.
      flags: XLA flags of every variant.
      lengths: tokens per prompt.
      rounds: turns of each variant.
      limit_s: how long a process may take for one answer, in seconds.
    """

    model: Mapping[str, Any]
    layout: Layout
    variants: Sequence[Variant]
    flags: Sequence[str]
    lengths: Sequence[int]
    rounds: int
    limit_s: float


def measure(request: Request, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measures one model.

    Returns:
      "facts" of the devices, "model", "ranks", "place", "flags"; "prompts": by length (as text), by variant: "median",
      "low" and "high" of the "turns", in ms.

    Raises:
      WorkerError: a process failed.
    """
    with contextlib.ExitStack() as stack:
        fleets = {one.name: stack.enter_context(_fleet(request, one)) for one in request.variants}
        answers = [fleet.first_answer() for fleet in fleets.values()]
        prompts = {}
        for length in request.lengths:
            turns: dict[str, list[float]] = {name: [] for name in fleets}
            for number in range(-1, request.rounds):  # the first turn compiles, and is not kept
                progress(f"prompts of {length} tokens: round {number + 1} of {request.rounds}")
                for name, fleet in fleets.items():
                    ms = fleet.ask(do="prefill", tokens=length, times=_TIMES)["ms"]
                    if number >= 0:
                        turns[name].append(statistics.median(ms))
            prompts[str(length)] = {name: spread(values) for name, values in turns.items()}
    return {**subject(request.model, request.layout, request.flags, answers[0]), "prompts": prompts}


def _fleet(request: Request, variant: Variant) -> Fleet:
    job = {"model": dict(request.model), "loop_steps": 1, "donate": "cache"}
    environment = variant.environment([*request.layout.flags(), *request.flags], "")
    return Fleet(request.layout, job, environment, request.limit_s)
