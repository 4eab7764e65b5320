# SPDX-License-Identifier: Apache-2.0
"""Golden tests: the pass always terminates, and an error in one region does not affect others."""

from __future__ import annotations

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass

OUT_OF_STEPS = "the pass has used up its {} steps for this module; the rest is left unchanged"

# A norm of a narrow sum, whose widened values are returned too: the call computes %wide inside, for the row sum, and
# the module keeps a copy outside, computed from the call's result.
COPY_STAYS_OUTSIDE = entry(f"""
    %p = f16[8,64]{{1,0}} parameter(0)
    %ar = {all_reduce("%p", "f16[8,64]{1,0}")}
    %wide = f32[8,64]{{1,0}} convert(%ar)
    %returned = f32[1,8,64]{{2,1,0}} reshape(%wide)
    %zero = f32[] constant(0)
    %total = f32[8]{{0}} reduce(%wide, %zero), dimensions={{1}}, to_apply=%add_f32
    %narrow = f16[8]{{0}} convert(%total)
    %spread = f16[8,64]{{1,0}} broadcast(%narrow), dimensions={{0}}
    %apart = f16[8,64]{{1,0}} subtract(%ar, %spread)
    ROOT %t = (f32[1,8,64]{{2,1,0}}, f16[8,64]{{1,0}}) tuple(%returned, %apart)""")


def chain(length: int) -> str:
    """`length` all-reduces, each of a dot that reads the one before."""
    lines = ["%x0 = bf16[8,64]{1,0} parameter(0)", "%w = bf16[64,64]{1,0} parameter(1)"]
    for i in range(length):
        dot = f"bf16[8,64]{{1,0}} dot(%x{i}, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}"
        lines += [f"%d{i} = {dot}", f"%a{i} = {all_reduce(f'%d{i}')}"]
        lines.append(f"{'ROOT ' if i + 1 == length else ''}%x{i + 1} = bf16[8,64]{{1,0}} add(%a{i}, %x{i})")
    return entry("\n".join(lines))


def test_a_member_may_read_a_copy_that_stays_outside() -> None:
    run = run_pass(COPY_STAYS_OUTSIDE)
    assert run.only["verdict"] == "fused"
    assert sum("custom-call(" in line for line in run.body) == 1
    assert any(" convert(" in line for line in run.body), "outside, of what the call returns"


def test_a_call_whose_results_another_looked_through_returns_the_sum_itself() -> None:
    scale = all_reduce("%c", "f32[1,64]{1,0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=2"))
    run = run_pass(
        entry(f"""
        %p = f32[1,16,64]{{2,1,0}} parameter(0)
        %c = f32[1,64]{{1,0}} parameter(1)
        %x = {all_reduce("%p", "f32[1,16,64]{2,1,0}")}
        %ar.scale = {scale}
        %one = f32[] constant(1)
        %ones = f32[1,64]{{1,0}} broadcast(%one), dimensions={{}}
        %plus = f32[1,64]{{1,0}} add(%ar.scale, %ones)
        %flat = f32[64]{{0}} reshape(%plus)
        %spread = f32[1,16,64]{{2,1,0}} broadcast(%flat), dimensions={{2}}
        ROOT %y = f32[1,16,64]{{2,1,0}} multiply(%x, %spread)""")
    )
    assert [verdict["verdict"] for verdict in run.verdicts] == ["fused", "plain"]
    assert sum("custom-call(" in line for line in run.body) == 2


@pytest.mark.parametrize("steps", [1, 100, 300])
def test_what_is_left_when_the_steps_are_used_up_stays_as_it_is(steps: int) -> None:
    run = run_pass(chain(20), max_steps=steps)
    kept = [verdict["reason"] for verdict in run.verdicts if verdict["verdict"] == "kept"]
    assert kept == [OUT_OF_STEPS.format(steps)] * len(kept)
    assert kept, "so few steps do not reach for 20 all-reduces"
    after = "" if run.after is None else run.after
    assert after.count("custom_call_target=") == 20 - len(kept)
    verdicts = [verdict["verdict"] for verdict in run.verdicts]
    assert verdicts == sorted(verdicts), "what comes first is decided first"


def test_steps_grow_with_the_module_in_a_line() -> None:
    few, many = (run_pass(chain(length)).report for length in (50, 400))
    assert many["steps"] / many["instructions"] < 1.5 * few["steps"] / few["instructions"]


def test_an_operand_that_reads_one_value_along_many_ways_is_looked_at_once() -> None:
    """Without memoization, each level doubles or triples the number of paths."""
    levels = 40
    lines = ["%way0 = s32[8,1]{1,0} parameter(0)"]
    lines += [f"%way{i + 1} = s32[8,1]{{1,0}} add(%way{i}, %way{i})" for i in range(levels)]
    lines += [
        f"%s = s32[8]{{0}} reshape(%way{levels})",
        "%w = s32[8,64]{1,0} broadcast(%s), dimensions={0}",
        "%m = f32[8,64]{1,0} convert(%w)",
        "%v = f32[8,64]{1,0} parameter(1)",
        "ROOT %r = f32[8,64]{1,0} multiply(%m, %v)",
    ]
    fused = "%many_ways (way0: s32[8,1], v: f32[8,64]) -> f32[8,64] {\n  " + "\n  ".join(lines) + "\n}"
    run = run_pass(
        entry(
            f"""
            %p = f32[8,64]{{1,0}} parameter(0)
            %ids = s32[8,1]{{1,0}} parameter(1)
            %ar = {all_reduce("%p", "f32[8,64]{1,0}")}
            ROOT %y = f32[8,64]{{1,0}} fusion(%ids, %ar), kind=kLoop, calls=%many_ways""",
            computations=fused,
        ),
        platform="cpu",
    )
    assert run.report["steps"] < 100 * run.report["instructions"]
