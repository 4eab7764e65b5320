# SPDX-License-Identifier: Apache-2.0
"""The one-shot call that an entry of report.json names, and its lines in the two texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from jax_oneshot.report.hlo_text import HloText


@dataclasses.dataclass(frozen=True)
class Value:
    """An instruction's name and shape, `bf16[8,4096]`."""

    name: str
    shape: str


@dataclasses.dataclass(frozen=True)
class Call:
    """One one-shot call.

    Attributes:
      reads: operands, in the order of the row program's inputs.
      returns: results, in the order of the row program's outputs.
      all_reduces: names of the all-reduces that it performs.
      lines_before: the instructions that it replaces, with the bodies of fusions among them.
      line_after: of the custom-call; None if the text does not belong to the report.
      result_lines: of its results in the text after.
    """

    reads: list[Value]
    returns: list[Value]
    all_reduces: list[str]
    lines_before: list[int]
    line_after: int | None
    result_lines: list[int]


def read_call(entry: Mapping[str, Any], before: HloText, after: HloText) -> Call | None:
    """The call of an all-reduce's entry; None if the all-reduce was kept."""
    call, computation = entry["call"], entry["computation"]
    if call is None:
        return None
    by_output = {one["output"]: Value(one["name"], one["shape"]) for one in reversed(call["returns"])}
    replaced = _lines(before, computation, call["replaces"])
    bodies = [line for body in call["fused_computations"] for line in before.body_lines(body)]
    return Call(
        reads=[Value(one["name"], one["shape"]) for one in call["reads"]],
        returns=[by_output[output] for output in sorted(by_output)],
        all_reduces=call["all_reduces"],
        lines_before=replaced + bodies,
        line_after=after.line_of(computation, call["name"]),
        result_lines=_lines(after, computation, [one["name"] for one in call["returns"]]),
    )


def _lines(text: HloText, computation: str, names: list[str]) -> list[int]:
    found = (text.line_of(computation, name) for name in names)
    return [line for line in found if line is not None]
