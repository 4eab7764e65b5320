# SPDX-License-Identifier: Apache-2.0
"""Golden tests: all-reduces that XLA's combiner would make one of."""

from __future__ import annotations

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass

SIBLINGS = entry(f"""
    %p = f32[8,64]{{1,0}} parameter(0)
    %q = f32[4,32]{{1,0}} parameter(1)
    %first = {all_reduce("%p", "f32[8,64]{1,0}")}
    %second = {all_reduce("%q", "f32[4,32]{1,0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=2"))}
    %n = f32[8,64]{{1,0}} negate(%first)
    ROOT %t = (f32[8,64]{{1,0}}, f32[4,32]{{1,0}}) tuple(%n, %second)""")


def test_all_reduces_of_which_xla_makes_one_are_left_to_it() -> None:
    run = run_pass(SIBLINGS, combine=(1 << 20, 100))
    why = "XLA's combiner merges it with others: 1 collectives, against 2 with the calls"
    assert [verdict["reason"] for verdict in run.verdicts] == [why, why]
    assert run.after is None
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 1)


@pytest.mark.parametrize("combine", [(0, 0), (1 << 20, 1), (8 * 64 * 4, 100)])
def test_all_reduces_that_xla_does_not_combine_become_calls(combine: tuple[int, int]) -> None:
    run = run_pass(SIBLINGS, combine=combine)
    assert [verdict["verdict"] for verdict in run.verdicts] == ["fused", "plain"]
    assert run.report["collectives_after"] == 2
