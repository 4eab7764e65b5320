# SPDX-License-Identifier: Apache-2.0
"""Golden tests: which all-reduces become calls, and the reason for each of the others."""

from __future__ import annotations

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, lone, run_pass
from jax_oneshot.message_limits import NEVER


def test_a_lone_all_reduce_becomes_a_plain_call_of_the_same_name_and_shape() -> None:
    run = run_pass(lone())
    assert run.only["verdict"] == "plain"
    assert run.only["row_program"] == "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)"
    assert run.body[1].startswith("ROOT %ar = bf16[8,64]{1,0} custom-call(%p)")


def test_a_module_without_an_all_reduce_comes_back_as_nothing() -> None:
    run = run_pass(entry("%p = f32[8] parameter(0)\nROOT %n = f32[8] negate(%p)"))
    assert run.after is None
    assert run.verdicts == []


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("[1,8]<=[8]", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("[2,4]<=[8]", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("[4,2]<=[2,4]T(1,0)", [0, 4, 1, 5, 2, 6, 3, 7]),
        ("{{0,1,2,3},{4,5,6,7}}", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("{{3,1},{2,0}}", [3, 1, 2, 0]),
        ("mesh['axis_0'=8] {'axis_0'}", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("mesh['dp'=2,'tp'=4] {'tp'}", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("mesh['dp'=2,'tp'=4] {'dp'}", [0, 4, 1, 5, 2, 6, 3, 7]),
        ("mesh['x'=8] {'x':(1)4}", [0, 2, 4, 6, 1, 3, 5, 7]),
        ("mesh['x'=8] {'x':(4)2}", [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_three_notations_of_groups_are_expanded(groups: str, expected: list[int]) -> None:
    run = run_pass(lone(groups=f"channel_id=1, replica_groups={groups}, use_global_device_ids=true"))
    assert run.only["verdict"] == "plain", run.only["reason"]
    assert f"groups = array<i64: {', '.join(map(str, expected))}>" in (run.after or "")
    assert 'group_mode = "flattened_id"' in (run.after or "")


def test_without_a_channel_the_groups_name_replicas() -> None:
    run = run_pass(lone(groups="replica_groups={{0,1},{2,3}}"))
    assert run.only["verdict"] == "plain"
    assert 'group_mode = "cross_replica"' in (run.after or "")
    assert (run.report["num_replicas"], run.report["num_partitions"]) == (4, 1)


@pytest.mark.parametrize("reducer", ["max_f32", "named_add_but_min"])
def test_maximum_and_minimum_become_plain_whatever_their_computation_is_called(reducer: str) -> None:
    run = run_pass(
        entry(f"""
        %p = f32[8,64]{{1,0}} parameter(0)
        %ar = {all_reduce("%p", "f32[8,64]{1,0}", reducer=reducer)}
        ROOT %n = f32[8,64]{{1,0}} negate(%ar)""")
    )
    kind = "maximum" if reducer == "max_f32" else "minimum"
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == f"a reduction by {kind} gets no epilogue"
    assert f"a0: {kind[:3]} f32 row" in run.only["row_program"]


def test_a_sum_that_widens_its_arguments_is_a_sum() -> None:
    assert run_pass(lone(reducer="promoted_add")).only["verdict"] == "plain"


KEPT = {
    "a product": (
        lone("f32[8,64]{1,0}", reducer="mul_f32"),
        "the reduction %mul_f32 is not a sum, maximum or minimum of its two arguments",
    ),
    "a type without kernels": (
        entry(
            f"""
            %p = s32[8,64]{{1,0}} parameter(0)
            ROOT %ar = {all_reduce("%p", "s32[8,64]{1,0}")}""",
            computations="""
            %add_s32 (i: s32[], j: s32[]) -> s32[] {
              %i = s32[] parameter(0)
              %j = s32[] parameter(1)
              ROOT %k = s32[] add(%i, %j)
            }""",
        ),
        "the kernels have no sums in s32; supported: bf16, f16, f32",
    ),
    "too large a group": (
        lone(groups="channel_id=1, replica_groups=[1,32]<=[32], use_global_device_ids=true"),
        "the group has 32 ranks; supported: 2 to 16",
    ),
    "a group of one": (
        lone(groups="channel_id=1, replica_groups=[8,1]<=[8], use_global_device_ids=true"),
        "its groups have one rank each: there is nothing to exchange",
    ),
    "no groups": (
        lone(groups="replica_groups={}"),
        "the replica groups are empty (everybody), so the group size is not in the HLO; write the groups out",
    ),
    "groups of replicas that span all partitions": (
        lone(groups="channel_id=1, replica_groups={{0,1}}"),
        "group mode cross_replica_and_partition is not supported; supported: cross_replica, cross_partition, "
        "flattened_id",
    ),
    "groups of two sizes": (
        lone(groups="replica_groups={{0,1,2},{3,4}}"),
        "the replica groups cannot be read: groups of 3 and of 2 ranks",
    ),
    "a column-major layout": (
        lone("bf16[8,64]{0,1}"),
        "the layout of bf16[8,64] is not row-major",
    ),
    "no elements": (lone("bf16[0,64]{1,0}"), "the all-reduce has no elements"),
    "a tuple that is returned whole": (
        entry(f"""
        %p = f32[8,64]{{1,0}} parameter(0)
        ROOT %ar = {all_reduce("%p, %p", "(f32[8,64]{1,0}, f32[8,64]{1,0})")}"""),
        "the tuple of results is used whole, not through get-tuple-element",
    ),
    "a control dependency": (
        entry(f"""
        %p = bf16[8,64]{{1,0}} parameter(0)
        %n = bf16[8,64]{{1,0}} negate(%p)
        %ar = {all_reduce("%p")}, control-predecessors={{%n}}
        ROOT %s = bf16[8,64]{{1,0}} add(%ar, %n)"""),
        "the all-reduce has control dependencies, which a fused call would lose",
    ),
    "a slice as only reader": (
        entry(f"""
        %p = bf16[8,64]{{1,0}} parameter(0)
        %zero = s32[] constant(0)
        %i = s32[] parameter(1)
        %ar = {all_reduce("%p")}
        %r = bf16[8,8,8]{{2,1,0}} reshape(%ar)
        ROOT %mine = bf16[8,1,8]{{2,1,0}} dynamic-slice(%r, %zero, %i, %zero), dynamic_slice_sizes={{8,1,8}}"""),
        "its only use is %mine, a slice; XLA turns the pair into a reduce-scatter, which moves less",
    ),
    "an asynchronous pair": (
        entry(f"""
        %p = bf16[8,64]{{1,0}} parameter(0)
        %start = bf16[8,64]{{1,0}} all-reduce-start(%p), {GROUPS_8}, to_apply=%add_bf16
        ROOT %done = bf16[8,64]{{1,0}} all-reduce-done(%start)"""),
        "all-reduce-start is asynchronous; only the synchronous all-reduce is rewritten",
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_kept_says_why_and_the_module_stays_as_it_is(case: str) -> None:
    text, reason = KEPT[case]
    run = run_pass(text)
    assert (run.only["verdict"], run.only["reason"], run.only["row_program"]) == ("kept", reason, "")
    assert run.after is None


def test_the_limit_counts_the_bytes_of_one_rank() -> None:
    assert run_pass(lone(), max_bytes=8 * 64 * 2).only["verdict"] == "plain"
    kept = run_pass(lone(), max_bytes=8 * 64 * 2 - 1)
    assert kept.only["reason"] == (
        "the message of 1024 bytes per rank is above the limit of 1023 bytes for 8 ranks (JAX_ONESHOT_MAX_BYTES)"
    )
    assert kept.after is None


def test_the_limit_may_depend_on_the_size_of_the_group() -> None:
    limits = [0] * 17
    limits[8] = 8 * 64 * 2
    assert run_pass(lone(), max_bytes=limits).only["verdict"] == "plain"
    limits[8] -= 1
    assert "the limit of 1023 bytes for 8 ranks" in run_pass(lone(), max_bytes=limits).only["reason"]
    with pytest.raises(ValueError, match="max_bytes has 3 limits; expected one, or 17, by group size from 0 on"):
        run_pass(lone(), max_bytes=[1, 2, 3])


def test_the_report_names_each_call_that_was_made_with_its_extent() -> None:
    run = run_pass(lone())
    assert run.report["calls"] == [
        {"row_program": run.only["row_program"], "rows": 8, "width": 64, "group_size": 8, "algorithm": "one_shot"}
    ]
    assert run_pass(lone(), keep_all_reason="module_excluded").report["calls"] == []


def test_options_can_keep_everything() -> None:
    excluded = run_pass(lone(), keep_all_reason="module_excluded")
    assert (excluded.only["verdict"], excluded.only["reason_id"]) == ("kept", "module_excluded")
    obstacle = run_pass(lone(), keep_all_reason="gpu_obstacle", keep_all_detail="there is no driver")
    assert obstacle.only["reason"] == "the calls cannot run on this machine's GPUs: there is no driver"
    with pytest.raises(ValueError, match="keep_all_reason is 'not today'; expected the id of a reason"):
        run_pass(lone(), keep_all_reason="not today")
    with pytest.raises(ValueError, match="keep_all_detail does not fit reason 'gpu_obstacle'"):
        run_pass(lone(), keep_all_reason="gpu_obstacle")
    several = run_pass(lone(), platform="cpu", single_process=False)
    assert several.only["reason"] == (
        "the devices belong to several processes; the CPU kernels exchange within one process only"
    )
    assert run_pass(lone(), platform="cuda", single_process=False).only["verdict"] == "plain"


def test_beyond_the_limit_all_reduces_are_kept_and_the_first_ones_are_numbered() -> None:
    text = entry(f"""
    %p = bf16[8,64]{{1,0}} parameter(0)
    %a = {all_reduce("%p")}
    %x = bf16[8,64]{{1,0}} negate(%a)
    %b = {all_reduce("%x")}
    %y = bf16[8,64]{{1,0}} negate(%b)
    ROOT %c = {all_reduce("%y")}""")
    run = run_pass(text, max_rewrites=2)
    assert [verdict["rewrite"] for verdict in run.verdicts] == [1, 2, 0]
    assert run.verdicts[2]["reason"] == "JAX_ONESHOT_LIMIT is reached; this rewrite would exceed it"
    assert (run.report["rewrites"], run.report["collectives_after"]) == (2, 3)
    assert [line.count("all-reduce(") for line in run.body].count(1) == 1
    assert run_pass(text, max_rewrites=0).after is None
    assert [verdict["rewrite"] for verdict in run_pass(text, max_rewrites=3).verdicts] == [1, 2, 3]


def test_a_scheduled_module_is_left_alone() -> None:
    text = lone().replace("HloModule test", "HloModule test, is_scheduled=true")
    assert run_pass(text).only["reason"] == (
        "the module already has a schedule; the pass must run before scheduling (stage PRE_SCHEDULER)"
    )


def test_all_reduces_in_loops_and_branches_are_found_and_named_with_their_computation() -> None:
    body = f"""
    %body (s: (s32[], bf16[8,64])) -> (s32[], bf16[8,64]) {{
      %s = (s32[], bf16[8,64]{{1,0}}) parameter(0)
      %i = s32[] get-tuple-element(%s), index=0
      %v = bf16[8,64]{{1,0}} get-tuple-element(%s), index=1
      %ar = {all_reduce("%v")}
      ROOT %t = (s32[], bf16[8,64]{{1,0}}) tuple(%i, %ar)
    }}
    %condition (c: (s32[], bf16[8,64])) -> pred[] {{
      %c = (s32[], bf16[8,64]{{1,0}}) parameter(0)
      %j = s32[] get-tuple-element(%c), index=0
      %three = s32[] constant(3)
      ROOT %less = pred[] compare(%j, %three), direction=LT
    }}
    %branch (b: bf16[8,64]) -> bf16[8,64] {{
      %b = bf16[8,64]{{1,0}} parameter(0)
      ROOT %ar2 = {all_reduce("%b").replace("channel_id=1", "channel_id=2")}
    }}
    %other (o: bf16[8,64]) -> bf16[8,64] {{
      ROOT %o = bf16[8,64]{{1,0}} parameter(0)
    }}
    """
    run = run_pass(
        entry(
            """
            %p = (s32[], bf16[8,64]{1,0}) parameter(0)
            %w = (s32[], bf16[8,64]{1,0}) while(%p), condition=%condition, body=%body
            %x = bf16[8,64]{1,0} get-tuple-element(%w), index=1
            %k = s32[] get-tuple-element(%w), index=0
            ROOT %y = bf16[8,64]{1,0} conditional(%k, %x, %x), branch_computations={%branch, %other}""",
            computations=body,
        )
    )
    found = {v["name"]: (v["computation"], v["in_loop"], v["verdict"]) for v in run.verdicts}
    assert found == {"ar": ("body", True, "plain"), "ar2": ("branch", False, "plain")}


def test_two_all_reduces_of_a_parallel_block_are_summed_in_one_call() -> None:
    run = run_pass(
        entry(f"""
        %attention = bf16[8,64]{{1,0}} parameter(0)
        %mlp = bf16[8,64]{{1,0}} parameter(1)
        %x = bf16[8,64]{{1,0}} parameter(2)
        %bias = bf16[64]{{0}} parameter(3)
        %ar1 = {all_reduce("%attention")}
        %ar2 = {all_reduce("%mlp").replace("channel_id=1", "channel_id=2")}
        %biasb = bf16[8,64]{{1,0}} broadcast(%bias), dimensions={{1}}
        %mlp_out = bf16[8,64]{{1,0}} add(%ar2, %biasb)
        %both = bf16[8,64]{{1,0}} add(%ar1, %mlp_out)
        ROOT %y = bf16[8,64]{{1,0}} add(%x, %both)""")
    )
    assert [v["verdict"] for v in run.verdicts] == ["fused", "fused"]
    assert [v["absorbed"]["all_reduces"] for v in run.verdicts] == [1, 1]
    assert run.verdicts[0]["row_program"].count("sum bf16 row") == 2
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 1)


@pytest.mark.parametrize(
    "second",
    [
        # Another group.
        "channel_id=2, replica_groups=[2,4]<=[8], use_global_device_ids=true",
        # The same ranks in another order, in which their values would be added.
        "channel_id=2, replica_groups={{1,0,2,3,4,5,6,7}}, use_global_device_ids=true",
    ],
)
def test_all_reduces_of_different_groups_are_not_summed_together(second: str) -> None:
    run = run_pass(
        entry(f"""
        %a = bf16[8,64]{{1,0}} parameter(0)
        %b = bf16[8,64]{{1,0}} parameter(1)
        %ar1 = {all_reduce("%a")}
        %ar2 = {all_reduce("%b", groups=second)}
        ROOT %y = bf16[8,64]{{1,0}} add(%ar1, %ar2)""")
    )
    assert [v["absorbed"]["all_reduces"] for v in run.verdicts] == [0, 0]
    assert run.report["collectives_after"] == 2


def test_the_same_group_in_two_notations_is_the_same_group() -> None:
    other = "channel_id=2, replica_groups=mesh['fsdp'=1,'tp'=8] {'tp'}, use_global_device_ids=true"
    run = run_pass(
        entry(f"""
        %a = bf16[8,64]{{1,0}} parameter(0)
        %b = bf16[8,64]{{1,0}} parameter(1)
        %ar1 = {all_reduce("%a")}
        %ar2 = {all_reduce("%b", groups=other)}
        ROOT %y = bf16[8,64]{{1,0}} add(%ar1, %ar2)""")
    )
    assert run.report["collectives_after"] == 1


def test_an_all_reduce_that_waits_for_the_first_one_is_not_summed_with_it() -> None:
    """Sequential blocks: the residual add after the second all-reduce belongs to that one."""
    run = run_pass(
        entry(f"""
        %a = bf16[8,64]{{1,0}} parameter(0)
        %x = bf16[8,64]{{1,0}} parameter(1)
        %w = bf16[64,64]{{1,0}} parameter(2)
        %ar1 = {all_reduce("%a")}
        %y = bf16[8,64]{{1,0}} add(%x, %ar1)
        %d = bf16[8,64]{{1,0}} dot(%y, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
        %ar2 = {all_reduce("%d").replace("channel_id=1", "channel_id=2")}
        ROOT %z = bf16[8,64]{{1,0}} add(%y, %ar2)""")
    )
    assert [v["verdict"] for v in run.verdicts] == ["fused", "fused"]
    assert [v["absorbed"]["instructions"] for v in run.verdicts] == [1, 1]
    assert run.report["collectives_after"] == 2


def test_a_reader_that_also_waits_for_something_computed_from_the_region_stays_outside() -> None:
    """Absorbing %z would create a cycle through %d."""
    run = run_pass(
        entry(f"""
        %a = bf16[8,64]{{1,0}} parameter(0)
        %w = bf16[64,64]{{1,0}} parameter(1)
        %ar = {all_reduce("%a")}
        %y = bf16[8,64]{{1,0}} negate(%ar)
        %d = bf16[8,64]{{1,0}} dot(%y, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
        ROOT %z = bf16[8,64]{{1,0}} add(%y, %d)""")
    )
    assert run.only["absorbed"]["instructions"] == 1
    assert run.body[-1] == "ROOT %z = bf16[8,64]{1,0} add(%y, %d)"


def test_calls_go_by_two_shots_from_so_many_bytes_on_by_the_size_of_the_group() -> None:
    two_shot_from = [NEVER] * 17
    two_shot_from[8] = 8 * 64 * 2
    run = run_pass(lone(), two_shot_from=two_shot_from)
    assert 'algorithm = "two_shot"' in (run.after or "")
    assert run.report["calls"][0]["algorithm"] == "two_shot"
    two_shot_from[8] += 1
    run = run_pass(lone(), two_shot_from=two_shot_from)
    assert 'algorithm = "one_shot"' in (run.after or "")
    assert run.report["calls"][0]["algorithm"] == "one_shot"
