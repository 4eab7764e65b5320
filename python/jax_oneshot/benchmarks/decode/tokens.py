# SPDX-License-Identifier: Apache-2.0
"""`bench decode --tokens`: how near logits and tokens with the pass off and on are to the same model in float32.

Greedy decoding takes the largest logit. With random weights the two largest often differ by less than one bf16
rounding, so off and on choose different tokens as soon as they round differently anywhere, and diverge from there. That
says nothing about which is more accurate. So all three are fed the same tokens, those that float32 chooses, and their
logits are compared; then each decodes on its own, to show how much they diverge.

The output matrix is random here. Where times are measured it is the embedding rolled by one token
(weights.init_on_devices), so that the next token does not depend on rounding.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jax_oneshot.benchmarks.decode.fleet import Fleet, Layout
from jax_oneshot.benchmarks.decode.measure import subject
from jax_oneshot.benchmarks.decode.variants import OFF, ON, Variant

STEPS = 32
LAYERS = 4

Tokens = list[list[int]]  # int[steps, batch]


@dataclasses.dataclass(frozen=True)
class Request:
    """What to compare.

    Attributes:
      model: fields of a ModelConfig.
      layout: where the ranks are.
      flags: XLA flags of every variant.
      limit_s: how long a process may take for one answer, in seconds.
    """

    model: Mapping[str, Any]
    layout: Layout
    flags: Sequence[str]
    limit_s: float


def compare(request: Request, progress: Callable[[str], None]) -> dict[str, Any]:
    """Decodes STEPS tokens per sequence off, on and in float32.

    Returns:
      "facts" of the devices, "model", "ranks", "place", "flags", "steps"; "off" and "on": "rms", the root mean square
      of the differences of its logits from float32's, relative to the root mean square of float32's logits; "largest",
      the largest difference, relative to the same; "equal", the share of tokens that are float32's choice. "apart": the
      shares of tokens equal to float32's where each decodes on its own; its "off_on": the share equal off and on.

    Raises:
      WorkerError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        judge = _decode(request, OFF, None, pathlib.Path(folder), progress)
        runs = {one.name: _decode(request, one, judge.tokens, pathlib.Path(folder), progress) for one in (OFF, ON)}
    apart = {name: share_equal(run.own, judge.tokens) for name, run in runs.items()}
    return {
        **subject(request.model, request.layout, request.flags, judge.facts),
        "steps": STEPS,
        **{
            name: distance(run.logits, judge.logits) | {"equal": share_equal(run.tokens, judge.tokens)}
            for name, run in runs.items()
        },
        "apart": apart | {"off_on": share_equal(runs["off"].own, runs["on"].own)},
    }


def distance(logits: np.ndarray, judge: np.ndarray) -> dict[str, float]:
    """Differences of `logits` from `judge`, both f32[steps, batch, vocab], relative to the rms of `judge`."""
    scale = float(np.sqrt(np.mean(np.square(judge, dtype=np.float64))))
    difference = logits.astype(np.float64) - judge
    return {
        "rms": float(np.sqrt(np.mean(np.square(difference)))) / scale,
        "largest": float(np.max(np.abs(difference))) / scale,
    }


def share_equal(left: Tokens, right: Tokens) -> float:
    """The share of equal tokens; both are int[steps, batch]."""
    return float(np.mean(np.array(left) == np.array(right)))


@dataclasses.dataclass(frozen=True)
class _Decode:
    """Logits f32[steps, batch, vocab] and chosen tokens of a decode that is fed given tokens; `own`: the tokens of
    another decode, which is fed its own."""

    facts: dict[str, Any]
    logits: np.ndarray
    tokens: Tokens
    own: Tokens


def _decode(
    request: Request, variant: Variant, follow: Tokens | None, folder: pathlib.Path, progress: Callable[[str], None]
) -> _Decode:
    """`follow`: the tokens to feed to the steps; None: each step's own choice, and the model is in float32."""
    name = variant.name if follow else "float32"
    progress(f"{name}: tokens")
    file = str(folder / f"{name}.npy")
    job = {"model": dict(request.model), "loop_steps": 1, "donate": "cache", "roll_head": False, "float32": not follow}
    environment = variant.environment([*request.layout.flags(), *request.flags], "")
    with Fleet(request.layout, job, environment, request.limit_s) as fleet:
        facts = fleet.first_answer()
        tokens = fleet.ask(do="logits", steps=STEPS, tokens=follow, file=file)["tokens"]
        logits = np.load(file)
        own = fleet.ask(do="logits", steps=STEPS, tokens=None, file=file)["tokens"] if follow else tokens
    return _Decode(facts, logits, tokens, own)
