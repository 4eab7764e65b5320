# SPDX-License-Identifier: Apache-2.0
"""HLO text of a scanned layer: a loop whose body begins with a norm and ends in an all-reduce and a residual add."""

from __future__ import annotations

import dataclasses

from hlo_fixture import all_reduce, entry

ROW = "f32[8,64]{1,0}"
STACK = "f32[3,64]{1,0}"

# %n: the RMSNorm of %x, with row %at of the stack %gammas.
NORM = f"""
  %squares = {ROW} multiply(%x, %x)
  %zero = f32[] constant(0)
  %sums = f32[8]{{0}} reduce(%squares, %zero), dimensions={{1}}, to_apply=%add_f32
  %eps = f32[] constant(1e-05)
  %all_eps = f32[8]{{0}} broadcast(%eps), dimensions={{}}
  %shifted = f32[8]{{0}} add(%sums, %all_eps)
  %scale = f32[8]{{0}} rsqrt(%shifted)
  %scales = {ROW} broadcast(%scale), dimensions={{0}}
  %scaled = {ROW} multiply(%x, %scales)
  %origin = s32[] constant(0)
  %row = f32[1,64]{{1,0}} dynamic-slice(%gammas, %at, %origin), dynamic_slice_sizes={{1,64}}
  %gamma = f32[64]{{0}} reshape(%row)
  %wide_gamma = {ROW} broadcast(%gamma), dimensions={{1}}
  %n = {ROW} multiply(%scaled, %wide_gamma)"""


@dataclasses.dataclass(frozen=True)
class Scan:
    """A module with one loop. Each field is a part of the text that a test may replace.

    Attributes:
      index: computes %at, the row of the stack to read, from the counter %i.
      norm: computes %n from %x.
      product: computes %d, the operand of the all-reduce, from %n and the weights %w.
      more: further instructions of the body.
      residual: the operand that the sum is added to.
      next: the body's results, by element of the state.
      state: types of the state's elements: counter, residual stream, stack, weights, and those that `more` needs.
      first: the loop's initial values; from `%x0`, `%g0`, `%w0` and the results of `before`.
      before: instructions before the loop.
      behind: instructions after it; the last one is the root.
      computations: that the body calls.
    """

    index: str = "%at = s32[] add(%i, %origin_at)"
    norm: str = NORM
    product: str = f"%d = {ROW} dot(%n, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}"
    more: str = ""
    residual: str = "%x"
    next: tuple[str, ...] = ("%i1", "%y", "%gammas", "%w")
    state: tuple[str, ...] = ("s32[]", ROW, STACK, "f32[64,64]{1,0}")
    first: tuple[str, ...] = ("%start", "%x0", "%g0", "%w0")
    before: str = ""
    behind: str = f"ROOT %out = {ROW} get-tuple-element(%loop), index=1"
    computations: str = ""

    def text(self) -> str:
        """The module's text."""
        state = f"({', '.join(self.state)})"
        body = f"""{self.computations}
%body (state: {state}) -> {state} {{
  %state = {state} parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %x = {ROW} get-tuple-element(%state), index=1
  %gammas = {STACK} get-tuple-element(%state), index=2
  %w = f32[64,64]{{1,0}} get-tuple-element(%state), index=3
  %one = s32[] constant(1)
  %i1 = s32[] add(%i, %one)
  %origin_at = s32[] constant(0)
  {self.index}
  {self.norm}
  {self.product}
  %ar = {all_reduce("%d", ROW)}
  {self.more}
  %y = {ROW} add({self.residual}, %ar)
  ROOT %next = {state} tuple({", ".join(self.next)})
}}

%condition (state.1: {state}) -> pred[] {{
  %state.1 = {state} parameter(0)
  %i.1 = s32[] get-tuple-element(%state.1), index=0
  %limit = s32[] constant(3)
  ROOT %less = pred[] compare(%i.1, %limit), direction=LT
}}
"""
        main = f"""
  %x0 = {ROW} parameter(0)
  %g0 = {STACK} parameter(1)
  %w0 = f32[64,64]{{1,0}} parameter(2)
  %start = s32[] constant(0)
  {self.before}
  %first = {state} tuple({", ".join(self.first)})
  %loop = {state} while(%first), condition=%condition, body=%body
  {self.behind}"""
        return entry(main, computations=body)
