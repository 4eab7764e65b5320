"""Variadic all-reduces: which of their values share a call, and the verdict on them."""

from __future__ import annotations

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass


def test_values_of_a_tuple_all_reduce_each_get_what_stands_behind_them() -> None:
    run = run_pass(
        entry(f"""
        %a = f32[8,64]{{1,0}} parameter(0)
        %b = f32[8,16]{{1,0}} parameter(1)
        %ar = (f32[8,64]{{1,0}}, f32[8,16]{{1,0}}) all-reduce(%a, %b), {GROUPS_8}, to_apply=%add_f32
        %first = f32[8,64]{{1,0}} get-tuple-element(%ar), index=0
        %second = f32[8,16]{{1,0}} get-tuple-element(%ar), index=1
        %n = f32[8,64]{{1,0}} negate(%first)
        ROOT %out = (f32[8,64]{{1,0}}, f32[8,16]{{1,0}}) tuple(%n, %second)"""),
        platform="cpu",
    )
    assert run.only["verdict"] == "fused"
    assert run.only["shape"] == "(f32[8,64], f32[8,16])"
    assert run.only["bytes"] == 8 * 64 * 4 + 8 * 16 * 4
    assert sum("custom-call(" in line for line in run.body) == 2
    assert not any("all-reduce(" in line for line in run.body)


def several_values(count: int, shape: str = "f32[8,64]{1,0}") -> str:
    """An all-reduce of `count` unrelated values, the first of which is negated after it."""
    shapes = f"({', '.join([shape] * count)})"
    values = range(count)
    return entry(
        "\n".join(
            [
                *(f"%p{i} = {shape} parameter({i})" for i in values),
                f"%ar = {all_reduce(', '.join(f'%p{i}' for i in values), shapes, reducer='add_f32')}",
                *(f"%g{i} = {shape} get-tuple-element(%ar), index={i}" for i in values),
                f"%n = {shape} negate(%g0)",
                f"ROOT %out = {shapes} tuple(%n, {', '.join(f'%g{i}' for i in values[1:])})",
            ]
        )
    )


@pytest.mark.parametrize(("count", "calls"), [(2, 1), (8, 1), (9, 2)])
def test_values_of_one_extent_stay_in_one_call_connected_or_not(count: int, calls: int) -> None:
    run = run_pass(several_values(count), platform="cpu")
    assert run.only["verdict"] == "fused"
    assert run.only["absorbed"] == {"instructions": 1, "all_reduces": 0, "all_gathers": 0}
    assert run.only["outputs"] == min(count, 8)
    assert sum("custom-call(" in line for line in run.body) == calls
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (1, calls)


def test_values_of_one_call_with_nothing_behind_them_are_plain() -> None:
    text = several_values(3).replace("%n = f32[8,64]{1,0} negate(%g0)", "").replace("(%n, ", "(%g0, ")
    run = run_pass(text, platform="cpu")
    assert (run.only["verdict"], run.only["outputs"], run.report["collectives_after"]) == ("plain", 3, 1)


def test_an_all_reduce_of_several_values_is_within_the_limit_whole_or_not_at_all() -> None:
    text = entry(f"""
    %p = f32[8,64]{{1,0}} parameter(0)
    %q = f32[8,32]{{1,0}} parameter(1)
    %both = {all_reduce("%p, %q", "(f32[8,64]{1,0}, f32[8,32]{1,0})")}
    %first = f32[8,64]{{1,0}} get-tuple-element(%both), index=0
    %second = f32[8,32]{{1,0}} get-tuple-element(%both), index=1
    ROOT %t = (f32[8,64]{{1,0}}, f32[8,32]{{1,0}}) tuple(%first, %second)""")
    run = run_pass(text, max_rewrites=1)
    assert (run.only["rewrite"], run.report["rewrites"], run.report["collectives_after"]) == (1, 1, 2)
