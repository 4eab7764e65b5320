# SPDX-License-Identifier: Apache-2.0
"""Golden tests: a sum over one mesh axis and then another becomes one exchange; groups of one rank need none."""

from __future__ import annotations

import pytest
from hlo_fixture import PassRun, all_reduce, entry, run_pass

ROW = "bf16[8,64]{1,0}"
WIDE = "f32[8,64]{1,0}"


def over(groups: str, channel: int = 1) -> str:
    return f"channel_id={channel}, replica_groups={groups}, use_global_device_ids=true"


TENSOR = over("mesh['expert'=2,'tensor'=4] {'tensor'}")
EXPERT = over("mesh['expert'=2,'tensor'=4] {'expert'}", 2)
BEHIND = f"%res = {ROW} parameter(1)\nROOT %y = {ROW} add(%total, %res)"


def nested(
    between: str = "", read: str = "%first", *, inner: str = TENSOR, outer: str = EXPERT, behind: str = BEHIND
) -> str:
    return entry(f"""
    %x = {ROW} parameter(0)
    %first = {all_reduce("%x", ROW, groups=inner)}
    {between}
    %total = {all_reduce(read, ROW, groups=outer)}
    {behind}""")


def groups_of_call(run: PassRun) -> str:
    assert run.after is not None
    return run.after.split("groups = array<i64: ")[1].split(">")[0]


def test_a_sum_over_two_axes_one_after_the_other_is_one_call_over_both() -> None:
    run = run_pass(nested())
    assert run.report["collectives_before"] == 2
    assert run.report["collectives_after"] == 1
    assert groups_of_call(run) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert [verdict["name"] for verdict in run.verdicts] == ["total", "first"]
    assert [verdict["verdict"] for verdict in run.verdicts] == ["fused", "fused"]
    assert run.verdicts[1]["reason"] == "it and %total, over another axis, become one all-reduce over both"
    assert run.verdicts[1]["row_program"] == run.verdicts[0]["row_program"]


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (EXPERT, TENSOR, "0, 1, 2, 3, 4, 5, 6, 7"),
        (over("[2,4]<=[8]"), over("[4,2]<=[2,4]T(1,0)"), "0, 1, 2, 3, 4, 5, 6, 7"),
        (over("{{0,1},{2,3},{4,5},{6,7}}"), EXPERT, "0, 1, 4, 5, 2, 3, 6, 7"),
        (over("mesh['a'=2,'b'=2,'c'=2] {'c'}"), over("mesh['a'=2,'b'=2,'c'=2] {'b'}"), "0, 1, 2, 3, 4, 5, 6, 7"),
    ],
)
def test_axes_fold_in_any_order_and_notation(inner: str, outer: str, expected: str) -> None:
    run = run_pass(nested(inner=inner, outer=outer))
    assert run.report["collectives_after"] == 1
    assert groups_of_call(run) == expected


def test_three_axes_fold_into_one() -> None:
    mesh = "mesh['a'=2,'b'=2,'c'=2] "
    run = run_pass(
        nested(
            f"%mid = {all_reduce('%first', ROW, groups=over(mesh + '{b}'.replace('b', repr('b')), 3))}",
            "%mid",
            inner=over(mesh + "{'a'}"),
            outer=over(mesh + "{'c'}", 2),
        )
    )
    assert run.report["collectives_before"] == 3
    assert run.report["collectives_after"] == 1
    assert groups_of_call(run) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert {verdict["verdict"] for verdict in run.verdicts} == {"fused"}


def test_reshapes_and_transposes_between_stay_in_front() -> None:
    text = nested(
        "%mid = bf16[64,8]{1,0} transpose(%first), dimensions={1,0}\n%c = bf16[8,64]{1,0} reshape(%mid)", "%c"
    )
    run = run_pass(text)
    assert run.report["collectives_after"] == 1
    assert run.body[1] == "%mid = bf16[64,8]{1,0} transpose(%x), dimensions={1,0}"


def mixed(inner: str, between: str, outer: str) -> str:
    """Two sums of different types; `between` reads %first, the outer sum reads %mid."""
    return entry(f"""
    %x = {inner} parameter(0)
    %first = {all_reduce("%x", inner, groups=TENSOR)}
    {between}
    ROOT %total = {all_reduce("%mid", outer, groups=EXPERT)}""")


def test_a_sum_that_is_narrowed_before_the_second_one_is_taken_in_the_wider_type() -> None:
    run = run_pass(mixed(WIDE, f"%mid = {ROW} convert(%first)", ROW))
    assert run.report["collectives_after"] == 1
    (call,) = [line for line in run.body if "custom-call" in line]
    assert "custom-call(%x)" in call
    assert {verdict["name"]: verdict["verdict"] for verdict in run.verdicts} == {"total": "fused", "first": "fused"}
    assert "a0: sum f32 row" in run.programs[0]


def test_a_sum_that_is_widened_before_the_second_one_is_taken_in_the_wider_type() -> None:
    run = run_pass(mixed(ROW, f"%mid = {WIDE} convert(%first)", WIDE))
    assert run.report["collectives_after"] == 1
    assert "= f32 row = all_reduce" in run.programs[0].replace("x0: ", "= ")


def test_rounding_between_two_wide_sums_goes() -> None:
    between = f"%n = {ROW} convert(%first)\n%mid = {WIDE} convert(%n)"
    run = run_pass(mixed(WIDE, between, WIDE))
    assert run.report["collectives_after"] == 1
    assert not any("convert" in line for line in run.body)


def test_a_fusion_that_rounds_between_two_wide_sums_goes_too() -> None:
    text = mixed(WIDE, f"%mid = {WIDE} fusion(%first), kind=kLoop, calls=%rounds", WIDE)
    rounds = f"""
    %rounds (r0: {WIDE}) -> {WIDE} {{
      %r0 = {WIDE} parameter(0)
      %r1 = {ROW} convert(%r0)
      ROOT %r2 = {WIDE} convert(%r1)
    }}
    ENTRY"""
    run = run_pass(text.replace("ENTRY", rounds, 1), platform="cpu")
    assert run.report["collectives_after"] == 1
    assert not any("fusion" in line for line in run.body)


MAX_INNER = all_reduce("%x", WIDE, groups=TENSOR, reducer="max_f32")


def test_maxima_fold_as_sums_do() -> None:
    run = run_pass(
        entry(f"""
        %x = {WIDE} parameter(0)
        %first = {MAX_INNER}
        ROOT %total = {all_reduce("%first", WIDE, groups=EXPERT, reducer="max_f32")}""")
    )
    assert run.report["collectives_after"] == 1


KEPT_APART = {
    "the same ranks twice": nested(outer=over("mesh['expert'=2,'tensor'=4] {'tensor'}", 2)),
    "ranks that overlap": nested(inner=over("[1,8]<=[8]")),
    "another reader of the first sum": nested(behind=f"%res = {ROW} negate(%first)\nROOT %y = {ROW} add(%total, %res)"),
    "arithmetic in between": nested(f"%mid = {ROW} multiply(%first, %first)", "%mid"),
    "a partner that is not known": nested(outer=over("{{0,4},{1,5}}", 2)),
    "another way to count ranks": nested(inner="replica_groups={{0,1,2,3},{4,5,6,7}}"),
    "a sum of maxima": entry(f"""
        %x = {WIDE} parameter(0)
        %first = {MAX_INNER}
        ROOT %total = {all_reduce("%first", WIDE, groups=EXPERT)}"""),
    "a type in between that holds less than either": mixed(
        "f16[8,64]{1,0}", f"%w = {WIDE} convert(%first)\n%mid = {ROW} convert(%w)", ROW
    ),
    "rounding between transposed sums": mixed(
        "f32[8,8]{1,0}",
        """%n = bf16[8,8]{1,0} convert(%first)
        %t = bf16[8,8]{1,0} transpose(%n), dimensions={1,0}
        %mid = f32[8,8]{1,0} convert(%t)""",
        "f32[8,8]{1,0}",
    ),
    "bits read as another type": mixed(
        "f32[8,8]{1,0}",
        """%n = s32[8,8]{1,0} bitcast-convert(%first)
        %mid = f32[8,8]{1,0} convert(%n)""",
        "f32[8,8]{1,0}",
    ),
}


@pytest.mark.parametrize("name", KEPT_APART)
def test_sums_that_are_not_one_stay_two(name: str) -> None:
    run = run_pass(KEPT_APART[name])
    assert run.report["collectives_after"] == 2
    assert not any(verdict["reason_id"] == "folded_into" for verdict in run.verdicts)


def test_with_the_pass_held_back_nothing_folds() -> None:
    assert run_pass(nested(), max_rewrites=0).after is None
    assert run_pass(nested(), keep_all_reason="module_excluded").after is None


def test_a_fold_that_is_too_large_for_a_call_is_left_to_xla() -> None:
    run = run_pass(nested(), max_bytes=100)
    assert run.after is None
    assert run.report["collectives_before"] == run.report["collectives_after"] == 2
    assert [verdict["verdict"] for verdict in run.verdicts] == ["kept", "kept"]


ALONE = over("[8,1]<=[8]")


def test_an_all_reduce_in_groups_of_one_stands_in_no_regions_way() -> None:
    run = run_pass(
        entry(f"""
        %x = {ROW} parameter(0)
        %first = {all_reduce("%x", ROW, groups=TENSOR)}
        %alone = {all_reduce("%first", ROW, groups=ALONE)}
        ROOT %n = {ROW} negate(%alone)""")
    )
    assert run.report["collectives_after"] == 1
    assert "negate" in run.programs[0]
    assert (run.verdicts[1]["name"], run.verdicts[1]["verdict"]) == ("alone", "kept")
    assert run.verdicts[1]["reason"] == "its groups have one rank each: there is nothing to exchange"


def test_each_value_of_an_all_reduce_in_groups_of_one_is_its_operand() -> None:
    run = run_pass(
        entry(f"""
        %x = {ROW} parameter(0)
        %first = {all_reduce("%x", ROW, groups=TENSOR)}
        %z = {ROW} parameter(1)
        %alone = {all_reduce("%z, %first", f"({ROW}, {ROW})", groups=ALONE).replace("add_bf16", "add_bf16")}
        %second = {ROW} get-tuple-element(%alone), index=1
        ROOT %n = {ROW} negate(%second)""")
    )
    assert run.report["collectives_after"] == 1
    assert "negate" in run.programs[0]
    assert not any("all-reduce" in line for line in run.body)


def test_a_group_of_one_that_is_returned_whole_stays() -> None:
    run = run_pass(
        entry(f"""
        %x = {ROW} parameter(0)
        %first = {all_reduce("%x", ROW, groups=TENSOR)}
        ROOT %alone = {all_reduce("%first, %first", f"({ROW}, {ROW})", groups=ALONE)}""")
    )
    assert run.report["collectives_after"] == 2
