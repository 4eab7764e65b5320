"""Golden tests: norms that GSPMD sharded, as XLA spells them, and near misses of each, which stay what they are."""

from __future__ import annotations

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass

PARAMETERS = """
%dot = bf16[8,64]{1,0} parameter(0)
%x = bf16[8,8]{1,0} parameter(1)
%g = bf16[8]{0} parameter(2)
"""

OFFSET = """
%id = u32[] partition-id()
%rank = s32[] convert(%id)
%eight = s32[] constant(8)
%offset = s32[] multiply(%rank, %eight)
%origin = s32[] constant(0)
"""

SLICE = "%part = bf16[8,8]{1,0} dynamic-slice(%ar, %origin, %offset), dynamic_slice_sizes={8,8}"

# From %y, this rank's columns, to %n, the same of the norm.
NORM = f"""
%f = f32[8,8]{{1,0}} convert(%y)
%sq = f32[8,8]{{1,0}} multiply(%f, %f)
%zero = f32[] constant(0)
%s = f32[8]{{0}} reduce(%sq, %zero), dimensions={{1}}, to_apply=%add_f32
%total = {all_reduce("%s", "f32[8]{0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=2"))}
%inv = f32[] constant(0.015625)
%invs = f32[8]{{0}} broadcast(%inv), dimensions={{}}
%mean = f32[8]{{0}} multiply(%total, %invs)
%r = f32[8]{{0}} rsqrt(%mean)
%rb = f32[8,8]{{1,0}} broadcast(%r), dimensions={{0}}
%nf = f32[8,8]{{1,0}} multiply(%f, %rb)
%nb = bf16[8,8]{{1,0}} convert(%nf)
%gb = bf16[8,8]{{1,0}} broadcast(%g), dimensions={{1}}
%n = bf16[8,8]{{1,0}} multiply(%nb, %gb)
"""


def all_gather(operand: str, shape: str = "bf16[8,64]{1,0}", *, groups: str = GROUPS_8, dimension: int = 1) -> str:
    groups = groups.replace("channel_id=1", "channel_id=3")
    return f"{shape} all-gather({operand}), {groups}, dimensions={{{dimension}}}"


SUM = f"%ar = {all_reduce('%dot')}"
GATHER = f"%full = {all_gather('%n')}"
RESULTS = "ROOT %out = (bf16[8,64]{1,0}, bf16[8,8]{1,0}) tuple(%full, %y)"
BLOCK = f"""
{PARAMETERS}{OFFSET}
{SUM}
{SLICE}
%y = bf16[8,8]{{1,0}} add(%x, %part)
{NORM}
{GATHER}
{RESULTS}"""

PROGRAM = (
    "v1 (a0: sum bf16 row, a1: gather bf16 row, a2: gather bf16 vec) { x0: bf16 row = all_reduce a0; "
    "x1: bf16 row = all_gather a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant 0.015625; x7: f32 rowscalar = multiply x5, x6; "
    "x8: f32 rowscalar = rsqrt x7; x9: f32 row = multiply x3, x8; x10: bf16 row = convert x9; "
    "x11: bf16 vec = all_gather a2; x12: bf16 row = multiply x10, x11 } -> (x2: row shard, x12: row)"
)


def test_a_sharded_norm_becomes_one_call_that_gathers_residual_and_weights() -> None:
    run = run_pass(entry(BLOCK))
    first, inner = run.verdicts
    assert first["verdict"] == "fused"
    assert first["row_program"] == PROGRAM
    assert first["absorbed"] == {"instructions": 13, "all_reduces": 1, "all_gathers": 1}
    assert first["outputs"] == 2
    assert inner["verdict"] == "fused"
    assert inner["reason"] == "it completes a row reduction inside the call that %ar became"
    assert inner["absorbed"] == {"instructions": 0, "all_reduces": 0, "all_gathers": 0}
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (3, 1)
    names = {line.split(" = ")[0] for line in run.body if "parameter(" not in line}
    assert names == {"%jax_oneshot.0", "%full", "%y", "ROOT %out"}


OFFSETS = {
    "multiply": "%at = s32[] multiply(%rank, %eight)",
    "table": """%table = s32[8]{0} constant({0, 8, 16, 24, 32, 40, 48, 56})
        %one = s32[1]{0} dynamic-slice(%table, %id), dynamic_slice_sizes={1}
        %at = s32[] reshape(%one)""",
    "clamped table, then multiply": """%table = u32[8]{0} constant({0, 1, 2, 3, 4, 5, 6, 7})
        %one = u32[1]{0} dynamic-slice(%table, %id), dynamic_slice_sizes={1}
        %low = u32[1]{0} constant({0})
        %high = u32[1]{0} constant({7})
        %clamped = u32[1]{0} clamp(%low, %one, %high)
        %signed = s32[1]{0} convert(%clamped)
        %eights = s32[1]{0} constant({8})
        %product = s32[1]{0} multiply(%signed, %eights)
        %at = s32[] reshape(%product)""",
    "divide and remainder": """%sixteen = s32[] constant(16)
        %twice = s32[] multiply(%rank, %sixteen)
        %two = s32[] constant(2)
        %half = s32[] divide(%twice, %two)
        %all = s32[] constant(64)
        %at = s32[] remainder(%half, %all)""",
    "select": """%seven = s32[] constant(7)
        %is_last = pred[] compare(%rank, %seven), direction=EQ
        %last = s32[] constant(56)
        %at = s32[] select(%is_last, %last, %offset)""",
}


@pytest.mark.parametrize("spelling", OFFSETS)
def test_the_offset_is_evaluated_for_every_rank_however_it_is_spelled(spelling: str) -> None:
    run = run_pass(entry(BLOCK.replace(SLICE, OFFSETS[spelling] + "\n" + SLICE.replace("%offset", "%at"))))
    assert run.verdicts[0]["row_program"] == PROGRAM


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
        "the offset of its slice is not known for every rank: %given (parameter) is not a number that the rank alone "
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
    # What follows is a norm of shards all the same: they are gathered as they are.
    assert "a0: gather bf16 row" in inner["row_program"]
    assert "all_reduce" not in inner["row_program"]
    also_read = BLOCK.replace(SLICE, spelling + "\n" + SLICE.replace("%offset", "%next")).replace(
        RESULTS, "ROOT %out = (bf16[8,64]{1,0}, bf16[8,64]{1,0}) tuple(%full, %ar)"
    )
    assert run_pass(entry(also_read)).verdicts[0]["reason"] == f"the region ends before %part: {why}"


def test_the_second_spelling_sums_the_whole_row_and_shards_the_scaling_alone() -> None:
    run = run_pass(
        entry(f"""{PARAMETERS}{OFFSET}
        {SUM}
        %f = f32[8,64]{{1,0}} convert(%ar)
        %sq = f32[8,64]{{1,0}} multiply(%f, %f)
        %zero = f32[] constant(0)
        %s = f32[8]{{0}} reduce(%sq, %zero), dimensions={{1}}, to_apply=%add_f32
        %r = f32[8]{{0}} rsqrt(%s)
        {SLICE}
        %fs = f32[8,8]{{1,0}} convert(%part)
        %rb = f32[8,8]{{1,0}} broadcast(%r), dimensions={{0}}
        %nf = f32[8,8]{{1,0}} multiply(%fs, %rb)
        %nb = bf16[8,8]{{1,0}} convert(%nf)
        %gb = bf16[8,8]{{1,0}} broadcast(%g), dimensions={{1}}
        %n = bf16[8,8]{{1,0}} multiply(%nb, %gb)
        ROOT %full = {all_gather("%n")}""")
    )
    assert run.only["verdict"] == "fused"
    assert run.only["absorbed"]["all_gathers"] == 1
    assert run.only["row_program"].count("convert x0") == 1, "the slice's convert is the whole row's"
    assert run.only["row_program"].endswith("-> (x8: row)")
    assert run.report["collectives_after"] == 1


LAYER_NORM = f"""
%zero = f32[] constant(0)
%inv = f32[] constant(0.015625)
%invs = f32[8]{{0}} broadcast(%inv), dimensions={{}}
%f = f32[8,8]{{1,0}} convert(%y)
%s = f32[8]{{0}} reduce(%f, %zero), dimensions={{1}}, to_apply=%add_f32
%total = {all_reduce("%s", "f32[8]{0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=4"))}
%mean = f32[8]{{0}} multiply(%total, %invs)
%mb = f32[8,8]{{1,0}} broadcast(%mean), dimensions={{0}}
%c = f32[8,8]{{1,0}} subtract(%f, %mb)
%sq = f32[8,8]{{1,0}} multiply(%c, %c)
%vs = f32[8]{{0}} reduce(%sq, %zero), dimensions={{1}}, to_apply=%add_f32
%vtotal = {all_reduce("%vs", "f32[8]{0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=5"))}
%v = f32[8]{{0}} multiply(%vtotal, %invs)
%r = f32[8]{{0}} rsqrt(%v)
%rb = f32[8,8]{{1,0}} broadcast(%r), dimensions={{0}}
%nf = f32[8,8]{{1,0}} multiply(%c, %rb)
%nb = bf16[8,8]{{1,0}} convert(%nf)
%gb = bf16[8,8]{{1,0}} broadcast(%g), dimensions={{1}}
%ng = bf16[8,8]{{1,0}} multiply(%nb, %gb)
%beta = bf16[8]{{0}} parameter(3)
%betas = bf16[8,8]{{1,0}} broadcast(%beta), dimensions={{1}}
%n = bf16[8,8]{{1,0}} add(%ng, %betas)
"""


def test_a_layer_norm_with_a_sharded_bias_before_and_behind_it_is_one_call() -> None:
    run = run_pass(
        entry(f"""{PARAMETERS}{OFFSET}
        {SUM}
        {SLICE}
        %bias = bf16[8]{{0}} parameter(4)
        %biases = bf16[8,8]{{1,0}} broadcast(%bias), dimensions={{1}}
        %biased = bf16[8,8]{{1,0}} add(%part, %biases)
        %y = bf16[8,8]{{1,0}} add(%x, %biased)
        {LAYER_NORM}
        {GATHER}
        {RESULTS}""")
    )
    assert [verdict["verdict"] for verdict in run.verdicts] == ["fused"] * 3
    assert run.verdicts[0]["absorbed"] == {"instructions": 20, "all_reduces": 2, "all_gathers": 1}
    assert run.verdicts[0]["row_program"].count("gather bf16 vec") == 3
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (4, 1)


def test_a_post_norm_a_residual_and_a_pre_norm_are_one_call() -> None:
    post = NORM.replace("%y)", "%part)").replace("channel_id=2", "channel_id=7")
    for name in ("f", "sq", "zero", "s", "total", "inv", "invs", "mean", "r", "rb", "nf", "nb", "gb", "n"):
        for end in (" ", ",", ")"):
            post = post.replace(f"%{name}{end}", f"%{name}_post{end}")
    run = run_pass(
        entry(f"""{PARAMETERS}{OFFSET}
        {SUM}
        {SLICE}
        {post}
        %y = bf16[8,8]{{1,0}} add(%n_post, %x)
        {NORM}
        {GATHER}
        {RESULTS}""")
    )
    assert run.verdicts[0]["absorbed"]["all_reduces"] == 2
    assert run.verdicts[0]["row_program"].count("reduce_sum") == 2
    assert run.verdicts[0]["row_program"].count("gather bf16 vec") == 1, "one gamma, used twice, is gathered once"
    assert run.report["collectives_after"] == 1


def test_equal_gathers_of_one_value_are_served_by_one_output() -> None:
    second = f"%again = {all_gather('%n').replace('channel_id=3', 'channel_id=9')}"
    run = run_pass(
        entry(BLOCK.replace(RESULTS, second + "\nROOT %out = (bf16[8,64]{1,0}, bf16[8,64]{1,0}) tuple(%full, %again)"))
    )
    assert run.verdicts[0]["absorbed"]["all_gathers"] == 2
    assert run.verdicts[0]["outputs"] == 1
    gtes = [line for line in run.body if "get-tuple-element(" in line]
    assert [line.split(" = ")[0] for line in gtes] == ["%full", "%again"]
    assert all(line.endswith("index=0") for line in gtes)
    assert run.report["collectives_after"] == 1


SECOND_GATHERS = {
    "the same": ("%again = " + all_gather("%other").replace("channel_id=3", "channel_id=9"), 1),
    "of another value": ("%again = " + all_gather("%x").replace("channel_id=3", "channel_id=9"), 2),
    "along another dimension": ("%again = " + all_gather("%other", "bf16[64,8]{1,0}", dimension=0), 2),
    "among other ranks": (
        "%again = bf16[8,64]{1,0} all-gather(%other), channel_id=9, replica_groups={{1,0,2,3,4,5,6,7}}, "
        "use_global_device_ids=true, dimensions={1}",
        2,
    ),
}


@pytest.mark.parametrize("second", SECOND_GATHERS)
def test_of_two_equal_gathers_outside_a_region_one_is_left(second: str) -> None:
    text, gathers = SECOND_GATHERS[second]
    shape = text.split(" = ")[1].split(" ")[0]
    run = run_pass(
        entry(f"""{PARAMETERS}
        %other = bf16[8,8]{{1,0}} parameter(3)
        {SUM}
        %once = {all_gather("%other")}
        {text}
        ROOT %out = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}, {shape}) tuple(%ar, %once, %again)""")
    )
    left = [line for line in run.body if "all-gather(" in line]
    assert len(left) == gathers
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (3, 1 + gathers)
    assert ("%again = bf16[8,64]{1,0} copy(%once)" in run.body) == (gathers == 1)


def test_a_vector_gathered_for_the_norm_alone_goes_into_the_exchange() -> None:
    body = f"""{PARAMETERS}
        {SUM}
        %gs = {all_gather("%g", "bf16[64]{0}", dimension=0)}
        %gb = bf16[8,64]{{1,0}} broadcast(%gs), dimensions={{1}}
        %n = bf16[8,64]{{1,0}} multiply(%ar, %gb)"""
    run = run_pass(entry(f"{body}\nROOT %out = (bf16[8,64]{{1,0}}) tuple(%n)"))
    assert "a1: gather bf16 vec" in run.only["row_program"]
    assert run.only["absorbed"]["all_gathers"] == 1
    assert run.report["collectives_after"] == 1
    # Near miss: somebody else reads it, so it is gathered anyway.
    run = run_pass(entry(f"{body}\nROOT %out = (bf16[8,64]{{1,0}}, bf16[64]{{0}}) tuple(%n, %gs)"))
    assert "a1: local bf16 vec" in run.only["row_program"]
    assert run.only["absorbed"]["all_gathers"] == 0
    assert run.report["collectives_after"] == 2


def test_who_wants_only_its_columns_of_the_norm_gets_a_shard() -> None:
    run = run_pass(entry(BLOCK.replace(GATHER, "").replace(RESULTS, "ROOT %out = (bf16[8,8]{1,0}) tuple(%n)")))
    assert run.verdicts[0]["row_program"].endswith("-> (x12: row shard)")
    assert run.verdicts[0]["absorbed"] == {"instructions": 12, "all_reduces": 1, "all_gathers": 0}


LAST_OF_A_LOOP = f"{PARAMETERS}{OFFSET}{SUM}\n{SLICE}\nROOT %y = bf16[8,8]{{1,0}} add(%x, %part)"


def test_who_adds_its_columns_of_a_sum_to_its_residual_gets_the_new_residual() -> None:
    """The last all-reduce of a scanned layer: the norm behind it is the next round's."""
    run = run_pass(entry(LAST_OF_A_LOOP))
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"].endswith("-> (x2: row shard)")
    assert run.only["absorbed"] == {"instructions": 2, "all_reduces": 0, "all_gathers": 0}


@pytest.mark.parametrize("behind", ["copy", "convert"])
def test_columns_of_a_sum_with_no_math_behind_them_are_left_to_reduce_scatter(behind: str) -> None:
    """Near miss: XLA makes one of all that can be combined."""
    run = run_pass(entry(LAST_OF_A_LOOP.replace("add(%x, %part)", f"{behind}(%part)")))
    assert run.only["verdict"] == "kept"
    assert run.only["reason"].startswith("its only use is %part, a slice; XLA turns the pair into a reduce-scatter")
    assert run.after is None


def test_a_second_consumer_of_the_unscaled_shard_gets_it_too() -> None:
    results = "ROOT %out = (bf16[8,64]{1,0}, f32[8,8]{1,0}) tuple(%full, %sq)"
    run = run_pass(entry(BLOCK.replace(RESULTS, results)))
    assert run.verdicts[0]["row_program"].endswith("-> (x4: row shard, x12: row)")
    assert run.report["collectives_after"] == 1


def test_a_norm_of_shards_that_no_all_reduce_stands_before_gathers_them() -> None:
    """The first norm of a scanned layer: its residual is loop state."""
    run = run_pass(
        entry(f"""
        %y = bf16[8,8]{{1,0}} parameter(0)
        %g = bf16[8]{{0}} parameter(1)
        {NORM}
        ROOT {GATHER}""")
    )
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"].startswith("v1 (a0: gather bf16 row, a1: gather bf16 vec) ")
    assert run.only["absorbed"] == {"instructions": 11, "all_reduces": 0, "all_gathers": 1}
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 1)


def test_a_rank_s_own_row_sum_that_is_read_elsewhere_stays() -> None:
    """The call has no such value, so the norm cannot be grown from its row sums."""
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


def test_batch_and_tokens_may_be_reshaped_between() -> None:
    body = BLOCK.replace(SLICE, "%ar3 = bf16[2,4,64]{2,1,0} reshape(%ar)\n" + SLICE.replace("%part", "%part3"))
    body = body.replace(
        "bf16[8,8]{1,0} dynamic-slice(%ar, %origin, %offset), dynamic_slice_sizes={8,8}",
        "bf16[2,4,8]{2,1,0} dynamic-slice(%ar3, %origin, %origin, %offset), dynamic_slice_sizes={2,4,8}\n"
        "%part = bf16[8,8]{1,0} reshape(%part3)",
    )
    assert run_pass(entry(body)).verdicts[0]["row_program"] == PROGRAM


OTHER_RANKS = {
    "halves": "channel_id=1, replica_groups={{0,1,2,3},{4,5,6,7}}, use_global_device_ids=true",
    "another order": "channel_id=1, replica_groups={{1,0,2,3,4,5,6,7}}, use_global_device_ids=true",
    "replicas": "replica_groups={{0,1,2,3,4,5,6,7}}",
}


def test_row_sums_may_be_completed_in_any_order_of_the_same_ranks_but_not_by_others() -> None:
    groups = GROUPS_8.replace("channel_id=1", "channel_id=2")
    reordered = BLOCK.replace(groups, OTHER_RANKS["another order"].replace("channel_id=1", "channel_id=2"))
    assert reordered != BLOCK
    assert run_pass(entry(reordered)).verdicts[0]["row_program"] == PROGRAM
    for other in ("halves", "replicas"):
        run = run_pass(entry(BLOCK.replace(groups, OTHER_RANKS[other].replace("channel_id=1", "channel_id=2"))))
        assert "reduce_sum" not in run.verdicts[0]["row_program"]
        assert run.report["collectives_after"] == 3


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
    """Of 60 columns each of 8 ranks takes 8, the last ones overlapping: GSPMD pads instead, people may not."""
    run = run_pass(
        entry(f"""
        %dot = bf16[8,60]{{1,0}} parameter(0){OFFSET}
        %ar = {all_reduce("%dot", "bf16[8,60]{1,0}")}
        %part = bf16[8,8]{{1,0}} dynamic-slice(%ar, %origin, %offset), dynamic_slice_sizes={{8,8}}
        ROOT %out = (bf16[8,60]{{1,0}}, bf16[8,8]{{1,0}}) tuple(%ar, %part)""")
    )
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == (
        "the region ends before %part: it takes 8 of 60 columns, which 8 ranks do not share out so"
    )


def test_columns_of_what_may_differ_between_ranks_end_the_region() -> None:
    """The ranks' columns of x + sum are gathered, and each rank's x may be its own: x + sum of rank 0 is not that."""
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
    # What it is broadcast to is columns of a row, which the exchange can carry.
    assert "a3: gather bf16 row" in run.verdicts[0]["row_program"]
    assert run.report["collectives_after"] == 1


def test_a_row_sum_in_bf16_may_be_widened_for_its_all_reduce() -> None:
    """XLA:CPU does so to every all-reduce of bf16."""
    total = NORM[NORM.index("%total = ") :].splitlines()[0]
    narrow = f"""%nothing = bf16[] constant(0)
        %sqb = bf16[8,8]{{1,0}} multiply(%y, %y)
        %sb = bf16[8]{{0}} reduce(%sqb, %nothing), dimensions={{1}}, to_apply=%add_bf16
        %s = f32[8]{{0}} convert(%sb)
        {total}"""
    begin, end = NORM.index("%s = "), NORM.index("%inv = ")
    run = run_pass(entry(BLOCK.replace(NORM, NORM[:begin] + narrow + "\n" + NORM[end:])))
    program = run.verdicts[0]["row_program"]
    assert "bf16 rowscalar = reduce_sum" in program
    assert "f32 rowscalar = convert" in program
    assert run.report["collectives_after"] == 1


def test_a_row_sum_that_starts_from_another_number_is_left_alone() -> None:
    """Every rank would add it once more than the sum of whole rows does."""
    run = run_pass(entry(BLOCK.replace("%zero = f32[] constant(0)", "%zero = f32[] constant(1)")))
    assert "reduce_sum" not in "".join(run.programs)
    assert run.report["collectives_after"] == 3


def test_above_the_limit_of_bytes_everything_is_left_alone() -> None:
    """The big all-reduce is; the small one behind it has no all-gather it could go with."""
    run = run_pass(entry(BLOCK), max_bytes=100)
    assert run.verdicts[0]["verdict"] == "kept"
    assert "above the limit" in run.verdicts[0]["reason"]
    assert run.report["collectives_after"] == 3
    assert "gather" not in "".join(run.programs)


def test_dp_by_tp_has_groups_with_a_slice_each() -> None:
    groups = "channel_id=1, replica_groups={{0,1,2,3},{4,5,6,7}}, use_global_device_ids=true"
    body = BLOCK.replace(GROUPS_8.removeprefix("channel_id=1"), groups.removeprefix("channel_id=1"))
    body = body.replace("bf16[8,64]", "bf16[8,32]").replace("%offset = s32[] multiply(%rank, %eight)", OFFSETS["table"])
    body = body.replace("constant({0, 8, 16, 24, 32, 40, 48, 56})", "constant({0, 8, 16, 24, 0, 8, 16, 24})")
    body = body.replace("%at = ", "%offset = ")
    assert run_pass(entry(body)).verdicts[0]["row_program"] == PROGRAM
    wrong = body.replace("constant({0, 8, 16, 24, 0, 8, 16, 24})", "constant({0, 8, 16, 24, 8, 0, 16, 24})")
    assert "all_reduce" not in "".join(run_pass(entry(wrong)).programs)


LOOP_STATE = "(s32[], bf16[8,8]{1,0}, bf16[8,64]{1,0}, bf16[8]{0}, s32[])"


def test_the_report_counts_what_one_round_of_a_loop_does() -> None:
    """A scanned layer: the residual is loop state, in shards, and so is the offset that was moved out of the loop."""
    slice_ = SLICE.replace("%origin", "%nothing").replace("%offset", "%hoisted")
    body = f"""
%body (state: {LOOP_STATE}) -> {LOOP_STATE} {{
  %state = {LOOP_STATE} parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %x = bf16[8,8]{{1,0}} get-tuple-element(%state), index=1
  %dot = bf16[8,64]{{1,0}} get-tuple-element(%state), index=2
  %g = bf16[8]{{0}} get-tuple-element(%state), index=3
  %hoisted = s32[] get-tuple-element(%state), index=4
  %nothing = s32[] constant(0)
  {SUM}
  {slice_}
  %y = bf16[8,8]{{1,0}} add(%x, %part)
  {NORM}
  {GATHER}
  ROOT %next = {LOOP_STATE} tuple(%i, %y, %full, %g, %hoisted)
}}

%condition (state.1: {LOOP_STATE}) -> pred[] {{
  %state.1 = {LOOP_STATE} parameter(0)
  %i.1 = s32[] get-tuple-element(%state.1), index=0
  %limit = s32[] constant(3)
  ROOT %less = pred[] compare(%i.1, %limit), direction=LT
}}
"""
    main = f"""
        %d0 = bf16[8,64]{{1,0}} parameter(0)
        %x0 = bf16[8,8]{{1,0}} parameter(1)
        %g0 = bf16[8]{{0}} parameter(2){OFFSET}
        %first = {LOOP_STATE} tuple(%origin, %x0, %d0, %g0, %offset)
        ROOT %loop = {LOOP_STATE} while(%first), condition=%condition, body=%body"""
    run = run_pass(entry(main, computations=body))
    assert run.verdicts[0]["row_program"] == PROGRAM
    assert run.report["loops"] == [{"computation": "body", "collectives_before": 3, "collectives_after": 1}]
    changed = body.replace("%g, %hoisted)", "%g, %i)")
    run = run_pass(entry(main, computations=changed))
    assert run.report["loops"] == [{"computation": "body", "collectives_before": 3, "collectives_after": 2}]
    assert run.verdicts[0]["verdict"] == "kept", "an offset that changes from round to round is not known"
