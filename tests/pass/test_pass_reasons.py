# SPDX-License-Identifier: Apache-2.0
"""Golden tests: every reason that stops a region, provoked by the instructions after an all-reduce."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass
from shards_hlo import BLOCK, GATHER

ROW = "bf16[8,64]{1,0}"
WIDE = "f32[8,64]{1,0}"


@dataclasses.dataclass(frozen=True)
class Case:
    """An all-reduce %ar of %p, and the instructions after it.

    Attributes:
      body: instructions after %ar; the region stops at %stop.
      reason: why the region stops there.
      shape: of %ar.
      computations: that the body calls.
      platform: that the module is compiled for.
    """

    body: str
    reason: str
    shape: str = ROW
    computations: str = ""
    platform: Literal["cpu", "cuda"] = "cuda"


def chain(length: int) -> str:
    """`length` negations, one after the other; the 256th is %stop."""
    names = ["ar", *(f"n{number}" for number in range(255)), "stop", *(f"m{number}" for number in range(length - 256))]
    lines = [f"%{name} = {ROW} negate(%{before})" for before, name in itertools.pairwise(names)]
    return "\n".join([*lines[:-1], "ROOT " + lines[-1]])


FOLLOWING_GROUPS = GROUPS_8.replace("channel_id=1", "channel_id=3")
WINDOW = "window={size=1x32 stride=1x32}"
CASES = {
    "an operation that is not row by row": Case(
        f"%w = bf16[64,64]{{1,0}} parameter(1)\n"
        f"ROOT %stop = {ROW} dot(%ar, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}",
        "dot has no row form",
    ),
    "a control dependency": Case(
        f"%n = {ROW} negate(%p)\nROOT %stop = {ROW} abs(%ar), control-predecessors={{%n}}",
        "it has control dependencies",
    ),
    "more instructions than a region holds": Case(chain(299), "the region has reached its size limit"),
    "a reshape that cuts rows": Case(
        "ROOT %stop = bf16[16,32]{1,0} reshape(%ar)", "reshape from bf16[8,64] to bf16[16,32] mixes rows and width"
    ),
    "a transpose of the rows among themselves": Case(
        """%r = bf16[2,4,64]{2,1,0} reshape(%ar)
        ROOT %stop = bf16[4,2,64]{2,1,0} transpose(%r), dimensions={1,0,2}""",
        "transpose moves elements between rows",
    ),
    "a transpose that nobody undoes": Case(
        """%stop = bf16[64,8]{1,0} transpose(%ar), dimensions={1,0}
        ROOT %n = bf16[64,8]{1,0} negate(%stop)""",
        "the region never transposes it back to rows",
    ),
    "a fusion that adds columns to rows": Case(
        "ROOT %stop = bf16[8,8]{1,0} fusion(%ar), kind=kLoop, calls=%fused",
        "its operands fold onto rows differently",
        shape="bf16[8,8]{1,0}",
        computations="""
        %fused (a9: bf16[8,8]) -> bf16[8,8] {
          %a9 = bf16[8,8]{1,0} parameter(0)
          %t9 = bf16[8,8]{1,0} transpose(%a9), dimensions={1,0}
          ROOT %s9 = bf16[8,8]{1,0} add(%a9, %t9)
        }""",
        platform="cpu",
    ),
    "a fusion with an operand that stands as the columns do": Case(
        """%x = bf16[64,8]{1,0} parameter(1)
        ROOT %stop = bf16[8,64]{1,0} fusion(%ar, %x), kind=kLoop, calls=%fused""",
        "operand %x: its rows are transposed",
        computations=f"""
        %fused (a9: {ROW}, x9: bf16[64,8]) -> {ROW} {{
          %a9 = {ROW} parameter(0)
          %x9 = bf16[64,8]{{1,0}} parameter(1)
          %t9 = bf16[64,8]{{1,0}} transpose(%a9), dimensions={{1,0}}
          %s9 = bf16[64,8]{{1,0}} add(%t9, %x9)
          ROOT %b9 = {ROW} transpose(%s9), dimensions={{1,0}}
        }}""",
        platform="cpu",
    ),
    "a broadcast behind the width": Case(
        "ROOT %stop = bf16[8,64,2]{2,1,0} broadcast(%ar), dimensions={0,1}",
        "broadcast to bf16[8,64,2] is not along rows",
    ),
    "a bitcast to another type": Case("ROOT %stop = s16[8,64]{1,0} bitcast(%ar)", "a bitcast changes the type"),
    "a bitcast to another layout": Case("ROOT %stop = bf16[8,64]{0,1} bitcast(%ar)", "bitcast changes the layout"),
    "an integer": Case("ROOT %stop = s32[8,64]{1,0} convert(%ar)", "type s32 is not one of a row program's"),
    "a comparison that tells zeros apart": Case(
        f"%x = {ROW} parameter(1)\nROOT %stop = pred[8,64]{{1,0}} compare(%ar, %x), direction=LT, type=TOTALORDER",
        "a total-order comparison has no row form",
    ),
    "an operand in the host's memory": Case(
        f"%x = bf16[8,64]{{1,0:S(5)}} parameter(1)\nROOT %stop = {ROW} add(%ar, %x)",
        "operand %x: it has a dynamic size, tiles, or a memory space of its own",
    ),
    "a fusion with an operand that is not row by row": Case(
        f"%w = bf16[64,64]{{1,0}} parameter(1)\nROOT %stop = {ROW} fusion(%ar, %w), kind=kLoop, calls=%fused",
        "operand %piece (slice) has no row form",
        computations=f"""
        %fused (a9: {ROW}, w9: bf16[64,64]{{1,0}}) -> {ROW} {{
          %a9 = {ROW} parameter(0)
          %w9 = bf16[64,64]{{1,0}} parameter(1)
          %d = bf16[64,64]{{1,0}} dot(%w9, %w9), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
          %piece = {ROW} slice(%d), slice={{[0:8],[0:64]}}
          ROOT %sum9 = {ROW} add(%a9, %piece)
        }}""",
        platform="cpu",
    ),
    "a fusion that leaves the all-reduce unused": Case(
        f"%x = {ROW} parameter(1)\nROOT %stop = {ROW} fusion(%ar, %x), kind=kLoop, calls=%fused",
        "its result does not depend on the all-reduce",
        computations=f"""
        %fused (a9: {ROW}, x9: {ROW}) -> {ROW} {{
          %a9 = {ROW} parameter(0)
          %x9 = {ROW} parameter(1)
          ROOT %n9 = {ROW} negate(%x9)
        }}""",
        platform="cpu",
    ),
    "a fusion with one result from elsewhere": Case(
        f"""%x = {ROW} parameter(1)
        %stop = ({ROW}, {ROW}) fusion(%ar, %x), kind=kLoop, calls=%fused
        %first = {ROW} get-tuple-element(%stop), index=0
        %second = {ROW} get-tuple-element(%stop), index=1
        ROOT %t = ({ROW}, {ROW}) tuple(%first, %second)""",
        "one of its results does not depend on the all-reduce",
        computations=f"""
        %fused (a9: {ROW}, x9: {ROW}) -> ({ROW}, {ROW}) {{
          %a9 = {ROW} parameter(0)
          %x9 = {ROW} parameter(1)
          %m9 = {ROW} negate(%a9)
          %n9 = {ROW} negate(%x9)
          ROOT %t9 = ({ROW}, {ROW}) tuple(%m9, %n9)
        }}""",
        platform="cpu",
    ),
    "a maximum over columns": Case(
        "%low = f32[] constant(-inf)\nROOT %stop = f32[64]{0} reduce(%ar, %low), dimensions={0}, to_apply=%max_f32",
        "reduce is not over the whole row",
        WIDE,
    ),
    "a reduction of two values": Case(
        f"""%x = {WIDE} parameter(1)
        %zero = f32[] constant(0)
        %stop = (f32[8]{{0}}, f32[8]{{0}}) reduce(%ar, %x, %zero, %zero), dimensions={{1}}, to_apply=%two
        ROOT %first = f32[8]{{0}} get-tuple-element(%stop), index=0""",
        "reduce of several values has no row form",
        WIDE,
        """
        %two (a8: f32[], b8: f32[], c8: f32[], d8: f32[]) -> (f32[], f32[]) {
          %a8 = f32[] parameter(0)
          %b8 = f32[] parameter(1)
          %c8 = f32[] parameter(2)
          %d8 = f32[] parameter(3)
          %e8 = f32[] add(%a8, %c8)
          %f8 = f32[] add(%b8, %d8)
          ROOT %t8 = (f32[], f32[]) tuple(%e8, %f8)
        }""",
    ),
    "a product over the row": Case(
        "%one = f32[] constant(1)\nROOT %stop = f32[8]{0} reduce(%ar, %one), dimensions={1}, to_apply=%mul_f32",
        "its reduction is not a sum, maximum or minimum",
        WIDE,
    ),
    "a sum that starts from a parameter": Case(
        "%start = f32[] parameter(1)\nROOT %stop = f32[8]{0} reduce(%ar, %start), dimensions={1}, to_apply=%add_f32",
        "its initial value is not a constant",
        WIDE,
    ),
    "a sum that starts from the all-reduce": Case(
        f"""%start = f32[] reshape(%ar)
        %x = {WIDE} parameter(1)
        ROOT %stop = f32[8]{{0}} reduce(%x, %start), dimensions={{1}}, to_apply=%add_f32""",
        "its initial value depends on the all-reduce",
        "f32[1,1]{1,0}",
    ),
    "half a sum that starts from 1": Case(
        f"%one = f32[] constant(1)\nROOT %stop = f32[8,2]{{1,0}} reduce-window(%ar, %one), {WINDOW}, to_apply=%add_f32",
        "its initial value is not the reduction's identity",
        WIDE,
    ),
    "half a sum, half a maximum": Case(
        f"""%zero = f32[] constant(0)
        %low = f32[] constant(-inf)
        %half = f32[8,2]{{1,0}} reduce-window(%ar, %zero), {WINDOW}, to_apply=%add_f32
        ROOT %stop = f32[8]{{0}} reduce(%half, %low), dimensions={{1}}, to_apply=%max_f32""",
        "it mixes two kinds of reduction",
        WIDE,
    ),
    "windows that overlap": Case(
        """%zero = f32[] constant(0)
        ROOT %stop = f32[8,33]{1,0} reduce-window(%ar, %zero), window={size=1x32 stride=1x1}, to_apply=%add_f32""",
        "its window does not tile the row",
        WIDE,
    ),
    "another reader of half a sum": Case(
        f"""%zero = f32[] constant(0)
        %half = f32[8,2]{{1,0}} reduce-window(%ar, %zero), {WINDOW}, to_apply=%add_f32
        ROOT %stop = f32[8,2]{{1,0}} negate(%half)""",
        "it reads a partial row reduction",
        WIDE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_region_stops_with_the_sentence_for_it(name: str) -> None:
    case = CASES[name]
    text = entry(
        f"%p = {case.shape} parameter(0)\n%ar = {all_reduce('%p', case.shape)}\n{case.body}",
        computations=case.computations,
    )
    run = run_pass(text, platform=case.platform)
    assert run.only["verdict"] in ("fused", "plain")
    place, _, why = run.only["reason"].partition(": ")
    assert why == case.reason
    assert place.startswith("the region ends before %stop")


def test_a_second_all_reduce_of_rows_ends_the_region() -> None:
    body = f"%x = {ROW} negate(%ar)\nROOT %second = {all_reduce('%x', groups=FOLLOWING_GROUPS)}"
    run = run_pass(entry(f"%p = {ROW} parameter(0)\n%ar = {all_reduce('%p')}\n{body}"))
    assert run.verdicts[0]["reason"] == ("the region ends before %second: all-reduce does not complete a row reduction")


# Changes to a block with a sharded norm, and the reason why its region then ends earlier.
SHARDED = {
    "a sum that is followed by a maximum over the ranks": (
        ("to_apply=%add_f32\n%inv", "to_apply=%max_f32\n%inv"),
        "the region ends before %total: it does not reduce as the row reduction before it does",
    ),
    "a gather of two values": (
        (
            GATHER,
            f"""%both = ({ROW}, {ROW}) all-gather(%n, %n), {FOLLOWING_GROUPS}, dimensions={{1}}
            %full = {ROW} get-tuple-element(%both), index=0""",
        ),
        "the region ends before %both: it gathers several values at once",
    ),
    "a mask that is sharded": (
        (
            "%gb = bf16[8,8]{1,0} broadcast(%g), dimensions={1}",
            """%mask = pred[8]{0} parameter(3)
            %masks = pred[8,8]{1,0} broadcast(%mask), dimensions={1}
            %gb = bf16[8,8]{1,0} select(%masks, %nb, %nb)""",
        ),
        "the region ends before %gb: operand %masks: columns of type pred are not gathered; supported: bf16, f16, f32",
    ),
}


@pytest.mark.parametrize("name", SHARDED)
def test_a_sharded_region_stops_with_the_sentence_for_it(name: str) -> None:
    (old, new), reason = SHARDED[name]
    assert BLOCK.count(old) == 1
    assert run_pass(entry(BLOCK.replace(old, new)), platform="cpu").verdicts[0]["reason"] == reason


def test_a_comparison_of_truth_values_has_one_order_only_and_is_taken_in() -> None:
    body = f"""
    %x = {ROW} parameter(1)
    %a = pred[8,64]{{1,0}} compare(%ar, %x), direction=LT
    %b = pred[8,64]{{1,0}} compare(%x, %ar), direction=LT
    ROOT %c = pred[8,64]{{1,0}} compare(%a, %b), direction=NE"""
    run = run_pass(entry(f"%p = {ROW} parameter(0)\n%ar = {all_reduce('%p')}\n{body}"))
    assert run.only["reason"] == "everything after it was absorbed"
    assert "compare x2, x3, direction=NE" in run.only["row_program"]


def test_a_comparison_by_ieees_rules_is_taken_in() -> None:
    body = f"%x = {ROW} parameter(1)\nROOT %c = pred[8,64]{{1,0}} compare(%ar, %x), direction=LT"
    run = run_pass(entry(f"%p = {ROW} parameter(0)\n%ar = {all_reduce('%p')}\n{body}"))
    assert run.only["reason"] == "everything after it was absorbed"
