# SPDX-License-Identifier: Apache-2.0
"""Near misses of sharded norms and of column slices of a sum: they stay unchanged, and the report says why."""

from __future__ import annotations

import pytest
from hlo_fixture import all_reduce, entry, run_pass
from shards_hlo import (
    BLOCK,
    GATHER,
    LAST_OF_A_LOOP,
    NORM,
    OFFSET,
    OTHER_RANKS,
    PARAMETERS,
    RESULTS,
    SLICE,
    SUM,
    all_gather,
)

WRONG_OFFSETS = {
    "one rank on": (
        """%next = s32[] add(%offset, %eight)""",
        "rank 0 slices at column 8, its own columns begin at 0",
    ),
    "two ranks exchanged": (
        """%table = s32[8]{0} constant({0, 8, 24, 16, 32, 40, 48, 56})
        %one = s32[1]{0} dynamic-slice(%table, %id), dynamic_slice_sizes={1}
        %next = s32[] reshape(%one)""",
        "rank 2 slices at column 24, its own columns begin at 16",
    ),
    "not known": (
        """%given = s32[] parameter(3)
        %next = s32[] add(%offset, %given)""",
        "the offset of its slice is not known on every rank: %given (parameter) is not a number that the rank alone "
        "decides",
    ),
}


@pytest.mark.parametrize("case", WRONG_OFFSETS)
def test_a_slice_of_other_columns_ends_the_region(case: str) -> None:
    spelling, why = WRONG_OFFSETS[case]
    run = run_pass(entry(BLOCK.replace(SLICE, spelling + "\n" + SLICE.replace("%offset", "%next"))))
    first, inner = run.verdicts
    assert first["verdict"] == "kept", "an all-reduce that only a slice reads is left to XLA"
    assert "%part, a slice" in first["reason"]
    # The rest is still a norm of shards, which a call gathers.
    assert "a0: gather bf16 row" in inner["row_program"]
    assert "all_reduce" not in inner["row_program"]
    also_read = BLOCK.replace(SLICE, spelling + "\n" + SLICE.replace("%offset", "%next")).replace(
        RESULTS, "ROOT %out = (bf16[8,64]{1,0}, bf16[8,64]{1,0}) tuple(%full, %ar)"
    )
    assert run_pass(entry(also_read)).verdicts[0]["reason"] == f"the region ends before %part: {why}"


@pytest.mark.parametrize("behind", ["copy", "convert"])
def test_columns_of_a_sum_with_no_math_behind_them_are_left_to_reduce_scatter(behind: str) -> None:
    """XLA combines all reduce-scatters that it can."""
    run = run_pass(entry(LAST_OF_A_LOOP.replace("add(%x, %part)", f"{behind}(%part)")))
    assert run.only["verdict"] == "kept"
    assert run.only["reason"].startswith("its only use is %part, a slice; XLA turns the pair into a reduce-scatter")
    assert run.after is None


def test_a_rank_s_own_row_sum_that_is_read_elsewhere_stays() -> None:
    """The call cannot return it, so the norm cannot be grown from its row sums."""
    run = run_pass(
        entry(f"""
        %y = bf16[8,8]{{1,0}} parameter(0)
        %g = bf16[8]{{0}} parameter(1)
        {NORM}
        {GATHER}
        ROOT %out = (bf16[8,64]{{1,0}}, f32[8]{{0}}) tuple(%full, %s)""")
    )
    assert "gather" not in run.only["row_program"]
    assert run.report["collectives_after"] == 2


def test_beyond_the_limit_of_a_message_shards_are_not_gathered() -> None:
    text = entry(f"""
        %y = bf16[8,8]{{1,0}} parameter(0)
        %g = bf16[8]{{0}} parameter(1)
        {NORM}
        ROOT {GATHER}""")
    assert run_pass(text, max_bytes=8 * 8 * 2).report["collectives_after"] == 1
    run = run_pass(text, max_bytes=8 * 8 * 2 - 1)
    assert run.report["collectives_after"] == 2
    assert "gather" not in run.only["row_program"]


@pytest.mark.parametrize("ranks", OTHER_RANKS)
def test_a_gather_among_other_ranks_or_in_another_order_ends_the_region(ranks: str) -> None:
    shape = "bf16[8,32]{1,0}" if ranks == "halves" else "bf16[8,64]{1,0}"
    gather = f"%full = {all_gather('%n', shape, groups=OTHER_RANKS[ranks])}"
    results = RESULTS.replace("bf16[8,64]{1,0}", shape)
    run = run_pass(entry(BLOCK.replace(GATHER, gather).replace(RESULTS, results)))
    assert run.verdicts[0]["verdict"] == "fused", "the norm itself is"
    expected = (
        "it does not gather the columns of rows"
        if ranks == "halves"
        else ("its ranks are not those of the all-reduce, in the same order")
    )
    assert run.verdicts[0]["reason"] == f"the region ends before %full: {expected}"
    assert run.report["collectives_after"] == 2


def test_a_gather_of_rows_ends_the_region() -> None:
    gather = f"%full = {all_gather('%n', 'bf16[64,8]{1,0}', dimension=0)}"
    results = RESULTS.replace("bf16[8,64]{1,0}", "bf16[64,8]{1,0}")
    run = run_pass(entry(BLOCK.replace(GATHER, gather).replace(RESULTS, results)))
    assert run.verdicts[0]["reason"] == "the region ends before %full: it does not gather the columns of rows"
    assert run.report["collectives_after"] == 2


def test_a_slice_of_rows_ends_the_region() -> None:
    run = run_pass(
        entry(f"""{PARAMETERS}{OFFSET}
        {SUM}
        %one = s32[] constant(1)
        %row = s32[] multiply(%rank, %one)
        %mine = bf16[1,64]{{1,0}} dynamic-slice(%ar, %row, %origin), dynamic_slice_sizes={{1,64}}
        ROOT %out = (bf16[8,64]{{1,0}}, bf16[1,64]{{1,0}}) tuple(%ar, %mine)""")
    )
    assert run.only["reason"] == "the region ends before %mine: it does not slice the row into one piece per rank"


def test_columns_that_the_ranks_do_not_divide_end_the_region() -> None:
    """Each of 8 ranks takes 8 of 60 columns, so the last ranks' overlap; GSPMD would pad, hand-written code may not."""
    run = run_pass(
        entry(f"""
        %dot = bf16[8,60]{{1,0}} parameter(0){OFFSET}
        %ar = {all_reduce("%dot", "bf16[8,60]{1,0}")}
        %part = bf16[8,8]{{1,0}} dynamic-slice(%ar, %origin, %offset), dynamic_slice_sizes={{8,8}}
        ROOT %out = (bf16[8,60]{{1,0}}, bf16[8,8]{{1,0}}) tuple(%ar, %part)""")
    )
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == (
        "the region ends before %part: it takes 8 of 60 columns, which is not an equal share for 8 ranks"
    )


def test_columns_of_what_may_differ_between_ranks_end_the_region() -> None:
    """Gathers each rank's columns of x + sum, where x may differ between ranks: not equal to any rank's own x + sum."""
    body = BLOCK.replace(
        SUM, f"{SUM}\n%x64 = bf16[8,64]{{1,0}} parameter(3)\n%z = bf16[8,64]{{1,0}} add(%x64, %ar)"
    ).replace(SLICE, SLICE.replace("%ar", "%z"))
    first = run_pass(entry(body)).verdicts[0]
    assert first["reason"] == (
        "the region ends before %part: it takes columns of a value made from %x64, which may differ between ranks"
    )
    same = body.replace("parameter(3)", f"{all_reduce('%dot').removeprefix('bf16[8,64]{1,0} ')}")
    same = same.replace(
        "%x64 = bf16[8,64]{1,0} all-reduce(%dot), channel_id=1", "%x64 = bf16[8,64]{1,0} all-reduce(%dot), channel_id=8"
    )
    assert run_pass(entry(same)).verdicts[0]["absorbed"]["all_gathers"] == 1, "a sum over the ranks is the same on each"


def test_a_number_that_may_differ_between_ranks_does_not_scale_shards() -> None:
    scaled = BLOCK.replace(
        NORM,
        NORM.replace(
            "%n = bf16[8,8]{1,0} multiply(%nb, %gb)",
            """%own = bf16[] parameter(3)
            %owns = bf16[8,8]{1,0} broadcast(%own), dimensions={}
            %ng = bf16[8,8]{1,0} multiply(%nb, %gb)
            %n = bf16[8,8]{1,0} multiply(%ng, %owns)""",
        ),
    )
    run = run_pass(entry(scaled))
    # Its broadcast consists of columns of a row, which the exchange can gather.
    assert "a3: gather bf16 row" in run.verdicts[0]["row_program"]
    assert run.report["collectives_after"] == 1


def test_a_row_sum_that_starts_from_another_number_is_left_alone() -> None:
    """Every rank adds the initial value, while a sum of whole rows adds it once."""
    run = run_pass(entry(BLOCK.replace("%zero = f32[] constant(0)", "%zero = f32[] constant(1)")))
    assert "reduce_sum" not in "".join(run.programs)
    assert run.report["collectives_after"] == 3


def test_above_the_limit_of_bytes_everything_is_left_alone() -> None:
    """The large all-reduce is over the limit, and the small one has no all-gather within the limit to join."""
    run = run_pass(entry(BLOCK), max_bytes=100)
    assert run.verdicts[0]["verdict"] == "kept"
    assert "above the limit" in run.verdicts[0]["reason"]
    assert run.report["collectives_after"] == 3
    assert "gather" not in "".join(run.programs)
