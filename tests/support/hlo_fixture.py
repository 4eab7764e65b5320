# SPDX-License-Identifier: Apache-2.0
"""Runs the pass on HLO text: the shared boilerplate of the golden tests.

A test writes the body of an entry computation; `entry` adds the reducers and the module header; `run_pass` parses it
with jaxlib's parser, runs the native pass and prints the result with jaxlib's printer. The printer verifies nothing, so
`run_pass` parses the result again: malformed protos fail here.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

from jax_oneshot import _native
from jax_oneshot.message_limits import NEVER
from jaxlib import _hlo  # type: ignore[attr-defined]

REDUCERS = """
%add_f32 (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%add_bf16 (a.1: bf16[], b.1: bf16[]) -> bf16[] {
  %a.1 = bf16[] parameter(0)
  %b.1 = bf16[] parameter(1)
  ROOT %sum.1 = bf16[] add(%a.1, %b.1)
}

%add_f16 (a.2: f16[], b.2: f16[]) -> f16[] {
  %a.2 = f16[] parameter(0)
  %b.2 = f16[] parameter(1)
  ROOT %sum.2 = f16[] add(%a.2, %b.2)
}

%max_f32 (a.3: f32[], b.3: f32[]) -> f32[] {
  %a.3 = f32[] parameter(0)
  %b.3 = f32[] parameter(1)
  ROOT %max = f32[] maximum(%a.3, %b.3)
}

%mul_f32 (a.4: f32[], b.4: f32[]) -> f32[] {
  %a.4 = f32[] parameter(0)
  %b.4 = f32[] parameter(1)
  ROOT %product = f32[] multiply(%a.4, %b.4)
}

%named_add_but_min (a.5: f32[], b.5: f32[]) -> f32[] {
  %a.5 = f32[] parameter(0)
  %b.5 = f32[] parameter(1)
  ROOT %min = f32[] minimum(%a.5, %b.5)
}

%promoted_add (a.6: bf16[], b.6: bf16[]) -> bf16[] {
  %a.6 = bf16[] parameter(0)
  %b.6 = bf16[] parameter(1)
  %wide_a = f32[] convert(%a.6)
  %wide_b = f32[] convert(%b.6)
  %wide = f32[] add(%wide_b, %wide_a)
  ROOT %narrow = bf16[] convert(%wide)
}
"""

GROUPS_8 = "channel_id=1, replica_groups=[1,8]<=[8], use_global_device_ids=true"

PROVOKED: set[str] = set()  # ids of the reasons that golden tests provoked, in this process; see test_reasons.py


def all_reduce(operand: str, shape: str = "bf16[8,64]{1,0}", *, groups: str = GROUPS_8, reducer: str = "") -> str:
    """The right-hand side of an all-reduce; the default reducer is the sum in the shape's type."""
    reducer = reducer or "add_" + shape.split("[")[0].strip("(")
    return f"{shape} all-reduce({operand}), {groups}, to_apply=%{reducer}"


def entry(body: str, *, computations: str = "") -> str:
    """A module whose entry computation has this body (one instruction per line, ROOT included)."""
    lines = "\n".join("  " + line.strip() for line in body.strip().splitlines())
    return f"HloModule test\n{REDUCERS}\n{computations}\nENTRY %main {{\n{lines}\n}}\n"


def lone(shape: str = "bf16[8,64]{1,0}", **kwargs: str) -> str:
    """A module with an all-reduce of a parameter and nothing after it."""
    return entry(f"%p = {shape} parameter(0)\nROOT %ar = {all_reduce('%p', shape, **kwargs)}")


@dataclasses.dataclass(frozen=True)
class PassRun:
    """The result of the pass on one module."""

    before: str
    after: str | None  # HLO text; None: unchanged
    report: dict[str, Any]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return self.report["all_reduces"]

    @property
    def only(self) -> dict[str, Any]:
        (verdict,) = self.verdicts
        return verdict

    @property
    def body(self) -> list[str]:
        """Instructions of the entry computation after the pass, in order, without metadata and backend_config."""
        assert self.after is not None, self.report
        text = self.after[self.after.index("ENTRY") :]
        lines = [line.strip() for line in text.splitlines()[1:] if " = " in line]
        clutter = re.compile(r", (metadata|backend_config|operand_layout_constraints)=\{.*\}(?=,|$)")
        return [clutter.sub("", line) for line in lines]

    @property
    def programs(self) -> list[str]:
        return [verdict["row_program"] for verdict in self.verdicts]


def to_proto(text: str) -> bytes:
    return _hlo.hlo_module_from_text(text).as_serialized_hlo_module_proto()


def to_text(proto: bytes) -> str:
    return _hlo.HloModule.from_serialized_hlo_module_proto(proto).to_string()


def run_pass(
    text: str, *, platform: Literal["cpu", "cuda"] = "cuda", max_bytes: int | list[int] = 1 << 20, **options: Any
) -> PassRun:
    """Runs the pass on HLO text.

    Args:
      text: a whole HLO module.
      platform: "cuda" or "cpu".
      max_bytes: largest message per rank that is rewritten, in bytes; or one limit per group size.
      **options: other keywords of `_native.run_pass`.
    """
    settings: dict[str, Any] = {
        "two_shot_from": NEVER,
        "timeout_ms": 1000,
        "single_process": True,
    } | options
    result = _native.run_pass(to_proto(text), platform=platform, max_bytes=max_bytes, **settings)
    after = None if result.module is None else to_text(result.module)
    if settings.get("max_rewrites", -1) < 0:
        alone = _native.run_pass(
            to_proto(text), platform=platform, max_bytes=max_bytes, **settings | {"max_rewrites": 0}
        )
        assert result.report["collectives_after"] <= alone.report["collectives_after"], "more than XLA alone leaves"
    for verdict in result.report["all_reduces"]:
        PROVOKED.update({verdict["reason_id"], verdict["stop_id"]} - {""})
    PROVOKED.update(rotation["reason_id"] for rotation in result.report["rotations"] if rotation["reason_id"])
    return PassRun(before=text, after=after, report=result.report)
