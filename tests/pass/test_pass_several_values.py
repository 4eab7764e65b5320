# SPDX-License-Identifier: Apache-2.0
"""Variadic all-reduces: which of their values share a call, and the verdict on them."""

from __future__ import annotations

from typing import Literal

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass

UNLIKE = entry(f"""
    %a = f32[8,64]{{1,0}} parameter(0)
    %b = f32[8,16]{{1,0}} parameter(1)
    %c = f32[8,64]{{1,0}} parameter(2)
    %ar = (f32[8,64]{{1,0}}, f32[8,16]{{1,0}}) all-reduce(%a, %b), {GROUPS_8}, to_apply=%add_f32
    %first = f32[8,64]{{1,0}} get-tuple-element(%ar), index=0
    %second = f32[8,16]{{1,0}} get-tuple-element(%ar), index=1
    %other = {all_reduce("%c", "f32[8,64]{1,0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=2"))}
    %n = f32[8,64]{{1,0}} add(%first, %other)
    ROOT %out = (f32[8,64]{{1,0}}, f32[8,16]{{1,0}}) tuple(%n, %second)""")


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_values_of_unlike_extent_become_as_many_calls_as_there_were_collectives(
    platform: Literal["cpu", "cuda"],
) -> None:
    run = run_pass(UNLIKE, platform=platform)
    assert [verdict["verdict"] for verdict in run.verdicts] == ["fused", "fused"]
    assert run.verdicts[0]["shape"] == "(f32[8,64], f32[8,16])"
    assert run.verdicts[0]["bytes"] == 8 * 64 * 4 + 8 * 16 * 4
    assert sum("custom-call(" in line for line in run.body) == 2
    assert not any("all-reduce(" in line for line in run.body)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_values_of_unlike_extent_stay_where_there_would_be_more_calls(platform: Literal["cpu", "cuda"]) -> None:
    """XLA:CPU combines before the pass: one all-reduce of two values must not become two calls."""
    run = run_pass(UNLIKE.replace("add(%first, %other)", "negate(%first)"), platform=platform)
    why = "XLA's combiner merges it with others: 1 collectives, against 2 with the calls"
    assert [verdict["reason"] for verdict in run.verdicts if verdict["verdict"] == "kept"] == [why]
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 2)


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


@pytest.mark.parametrize("count", [2, 8])
def test_values_of_one_extent_stay_in_one_call_connected_or_not(count: int) -> None:
    run = run_pass(several_values(count), platform="cpu")
    assert run.only["verdict"] == "fused"
    assert run.only["absorbed"] == {"instructions": 1, "all_reduces": 0, "all_gathers": 0}
    assert run.only["outputs"] == count
    assert sum("custom-call(" in line for line in run.body) == 1
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (1, 1)


def test_more_values_than_one_call_takes_stay_in_one_all_reduce() -> None:
    run = run_pass(several_values(9), platform="cpu")
    assert run.after is None
    assert run.only["reason"].endswith(": 1 collectives, against 2 with the calls")


def test_values_of_one_call_with_nothing_behind_them_are_plain() -> None:
    text = several_values(3).replace("%n = f32[8,64]{1,0} negate(%g0)", "").replace("(%n, ", "(%g0, ")
    run = run_pass(text, platform="cpu")
    assert (run.only["verdict"], run.only["outputs"], run.report["collectives_after"]) == ("plain", 3, 1)


def test_an_all_reduce_of_several_values_is_within_the_limit_whole_or_not_at_all() -> None:
    run = run_pass(UNLIKE, max_rewrites=1)
    assert {verdict["rewrite"] for verdict in run.verdicts} == {1}
    assert (run.report["rewrites"], run.report["collectives_after"]) == (1, 2)
    assert run_pass(UNLIKE, max_rewrites=0).report["collectives_after"] == 2
