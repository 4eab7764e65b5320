# SPDX-License-Identifier: Apache-2.0
"""Golden tests: a sum moves after math that is linear in it if that exchanges fewer bytes, or saves an exchange."""

from __future__ import annotations

from typing import Any

import pytest
from hlo_fixture import GROUPS_8, PassRun, all_reduce, entry, run_pass

MANY = "bf16[48,64]{1,0}"
FEW = "bf16[8,64]{1,0}"
THREE = "bf16[8,6,64]{2,1,0}"
WIDE = "f32[8,64]{1,0}"
MESH = "mesh['expert'=2,'tensor'=4]"
TENSOR = f"channel_id=1, replica_groups={MESH} {{'tensor'}}, use_global_device_ids=true"
EXPERT = f"channel_id=2, replica_groups={MESH} {{'expert'}}, use_global_device_ids=true"


def gathered(name: str, part: str, whole: str, number: int, groups: str = "[1,8]<=[8]") -> str:
    """An all-gather of a parameter's parts: equal on the ranks of the group."""
    return f"""%part_{name} = {part} parameter({number})
    %{name} = {whole} all-gather(%part_{name}), channel_id={10 + number}, replica_groups={groups},
      use_global_device_ids=true, dimensions={{0}}""".replace(",\n      ", ", ")


INDEX = gathered("index", "s32[6,1]{1,0}", "s32[48,1]{1,0}", 2)
WEIGHTS = gathered("weights", "bf16[1,6]{1,0}", "bf16[8,6]{1,0}", 3)
GATHER = (
    "%rows = bf16[48,1,64]{2,1,0} gather(%ar, %index), offset_dims={1,2}, collapsed_slice_dims={}, "
    "start_index_map={0}, index_vector_dim=1, slice_sizes={1,64}"
)
NO_GATHER = "%rows = bf16[48,1,64]{2,1,0} reshape(%ar)"


def mixture(*, index: str = INDEX, weights: str = WEIGHTS, rows: str = GATHER, zero: str = "0", end: str = "") -> str:
    """Rows are gathered, weighted and summed after the all-reduce %ar."""
    return entry(f"""
        %x = {MANY} parameter(0)
        {index}
        {weights}
        %ar = {all_reduce("%x", MANY)}
        {rows}
        %three = {THREE} reshape(%rows)
        %spread = {THREE} broadcast(%weights), dimensions={{0,1}}
        %scaled = {THREE} multiply(%three, %spread)
        %zero = bf16[] constant({zero})
        %total = {FEW} reduce(%scaled, %zero), dimensions={{1}}, to_apply=%add_bf16
        %res = {FEW} parameter(1)
        {end or f"ROOT %y = {FEW} add(%total, %res)"}""")


def of(run: PassRun, name: str) -> dict[str, Any]:
    (verdict,) = [verdict for verdict in run.verdicts if verdict["name"] == name]
    return verdict


def sank(run: PassRun) -> bool:
    return "%jax_oneshot_sum" in (run.after or "")


def test_the_rows_of_a_mixture_are_weighted_and_added_up_before_they_are_exchanged() -> None:
    run = run_pass(mixture())
    verdict = of(run, "ar")
    assert (verdict["verdict"], verdict["shape"]) == ("fused", "f32[8,64]")
    assert verdict["bytes"] == 8 * 64 * 4 < 48 * 64 * 2
    assert verdict["row_program"] == (
        "v1 (a0: sum f32 row, a1: local bf16 row) { x0: f32 row = all_reduce a0; x1: bf16 row = convert x0; "
        "x2: bf16 row = load a1; x3: bf16 row = add x1, x2 } -> (x3: row)"
    )
    body = "\n".join(run.body)
    assert "gather(%x, %index)" in body
    assert "f32[8,6,64]{2,1,0} multiply(" in body
    assert "to_apply=%add_f32" in body


def test_moves_alone_round_nothing_and_keep_the_type() -> None:
    run = run_pass(
        entry(f"""
        %x = {MANY} parameter(0)
        %ar = {all_reduce("%x", MANY)}
        %cut = {FEW} slice(%ar), slice={{[0:8], [0:64]}}
        ROOT %y = {FEW} negate(%cut)""")
    )
    assert sank(run)
    assert of(run, "ar")["shape"] == "bf16[8,64]"


INDEPENDENT = entry(f"""
    %p = f32[24,24]{{1,0}} parameter(0)
    %q = f32[24,24]{{1,0}} parameter(1)
    %first = {all_reduce("%p", "f32[24,24]{1,0}")}
    %second = {all_reduce("%q", "f32[24,24]{1,0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=2"))}
    ROOT %y = f32[24,24]{{1,0}} dot(%first, %second), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}""")


def test_a_sum_sinks_behind_a_product_with_another() -> None:
    assert sank(run_pass(INDEPENDENT))


@pytest.mark.parametrize("limit", [-1, 1, 2])
def test_a_sum_stays_before_where_xla_combines_it_with_the_one_it_would_wait_for(limit: int) -> None:
    run = run_pass(INDEPENDENT, combine=(1 << 20, 100), max_rewrites=limit)
    assert run.after is None
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 1)


STAYS = {
    "indices that ranks may not share": mixture(index="%index = s32[48,1]{1,0} parameter(2)"),
    "weights that ranks may not share": mixture(weights="%weights = bf16[8,6]{1,0} parameter(3)", rows=NO_GATHER),
    "weights that only some of the ranks share": mixture(
        weights=gathered("weights", "bf16[2,6]{1,0}", "bf16[8,6]{1,0}", 3, "[2,4]<=[8]"), rows=NO_GATHER
    ),
    "another reader of the sum": mixture(
        rows=NO_GATHER, end=f"%tail = {MANY} negate(%ar)\nROOT %t = ({FEW}, {MANY}) tuple(%total, %tail)"
    ),
    "another reader of what is made of it": mixture(
        rows=NO_GATHER, end=f"%tail = {THREE} negate(%three)\nROOT %t = ({FEW}, {THREE}) tuple(%total, %tail)"
    ),
    "something that is not linear": mixture(
        rows=f"%bent = {MANY} exponential(%ar)\n" + NO_GATHER.replace("%ar", "%bent")
    ),
    "a square": mixture(rows=f"%bent = {MANY} multiply(%ar, %ar)\n" + NO_GATHER.replace("%ar", "%bent")),
    "an added bias": mixture(
        rows=f"%one = bf16[] constant(1)\n%ones = {MANY} broadcast(%one), dimensions={{}}\n"
        f"%bent = {MANY} add(%ar, %ones)\n" + NO_GATHER.replace("%ar", "%bent")
    ),
    "a sum that starts from 1": mixture(zero="1", rows=NO_GATHER),
    "what is divided by it": mixture(
        rows=f"%one = bf16[] constant(1)\n%ones = {MANY} broadcast(%one), dimensions={{}}\n"
        f"%bent = {MANY} divide(%ones, %ar)\n" + NO_GATHER.replace("%ar", "%bent")
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_a_sum_stays_before(name: str) -> None:
    run = run_pass(STAYS[name])
    assert not sank(run)
    assert of(run, "ar")["shape"] == "bf16[48,64]"


def test_a_sum_stays_before_what_makes_it_larger() -> None:
    run = run_pass(
        entry(f"""
        %x = {FEW} parameter(0)
        {gathered("w", "bf16[8,96]{1,0}", "bf16[64,96]{1,0}", 1)}
        %ar = {all_reduce("%x", FEW)}
        ROOT %y = bf16[8,96]{{1,0}} dot(%ar, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}""")
    )
    assert not sank(run)


@pytest.mark.parametrize(
    ("experts", "rows", "expected"), [(2, 4, "f32[4,64]"), (3, 4, "f32[4,64]"), (1, 8, "bf16[1,8,64]")]
)
def test_a_sum_of_bf16_sinks_where_f32_takes_no_more_bytes(experts: int, rows: int, expected: str) -> None:
    shape = f"bf16[{experts},{rows},64]{{2,1,0}}"
    run = run_pass(
        entry(f"""
        %x = {shape} parameter(0)
        %ar = {all_reduce("%x", shape)}
        %zero = bf16[] constant(0)
        ROOT %y = bf16[{rows},64]{{1,0}} reduce(%ar, %zero), dimensions={{0}}, to_apply=%add_bf16""")
    )
    assert of(run, "ar")["shape"] == expected


def adapter(
    *,
    low: str = "%low = bf16[8,4]{1,0} parameter(1)",
    groups: str = "[1,8]<=[8]",
    both: str = "%both = " + FEW + " add(%ar, %up)",
) -> str:
    """A row-parallel product, and an adapter's low-rank product that is added to it."""
    small = f"channel_id=2, replica_groups={groups}, use_global_device_ids=true"
    return entry(f"""
        %dense = {FEW} parameter(0)
        %part_b = bf16[1,4,64]{{2,1,0}} parameter(2)
        %parts = bf16[8,4,64]{{2,1,0}} all-gather(%part_b), {GROUPS_8.replace("=1,", "=3,", 1)}, dimensions={{0}}
        %one_b = bf16[1,4,64]{{2,1,0}} slice(%parts), slice={{[0:1], [0:4], [0:64]}}
        %b = bf16[4,64]{{1,0}} reshape(%one_b)
        %res = {FEW} parameter(3)
        %ar = {all_reduce("%dense", FEW)}
        {low}
        %small = {all_reduce("%low", "bf16[8,4]{1,0}", groups=small)}
        %up = {FEW} dot(%small, %b), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
        {both}
        ROOT %y = {FEW} add(%both, %res)""")


def test_the_sum_of_an_adapter_goes_into_the_call_of_the_product_it_is_added_to() -> None:
    run = run_pass(adapter())
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (3, 2)  # one is the all-gather for %b
    assert of(run, "ar")["row_program"] == of(run, "small")["row_program"]
    assert of(run, "ar")["row_program"] == (
        "v1 (a0: sum bf16 row, a1: sum f32 row, a2: local bf16 row) { x0: bf16 row = all_reduce a0; "
        "x1: f32 row = all_reduce a1; x2: bf16 row = convert x1; x3: bf16 row = add x0, x2; "
        "x4: bf16 row = load a2; x5: bf16 row = add x3, x4 } -> (x5: row)"
    )


APART = {
    "it is summed among other ranks": adapter(groups="[2,4]<=[8]"),
    "it waits for the other one": adapter(
        low="%spare = f32[] parameter(1)\n%low = bf16[8,4]{1,0} slice(%ar), slice={[0:8], [0:4]}"
    ),
    "they are multiplied": adapter(both=f"%both = {FEW} multiply(%ar, %up)"),
    "it is added to something else": adapter(both=f"%both = {FEW} add(%dense, %up)"),
}


@pytest.mark.parametrize("name", APART)
def test_the_sum_of_an_adapter_stays_before_its_product_where(name: str) -> None:
    assert not sank(run_pass(APART[name]))


def two_axes(weights: str) -> str:
    """A sum over one axis, scaled per row, then a sum over the other axis."""
    return entry(f"""
        %x = {FEW} parameter(0)
        {weights}
        %ar = {all_reduce("%x", FEW, groups=TENSOR)}
        %spread = {FEW} broadcast(%weights), dimensions={{0}}
        %scaled = {FEW} multiply(%ar, %spread)
        %total = {all_reduce("%scaled", FEW, groups=EXPERT)}
        ROOT %y = {FEW} negate(%total)""")


def test_what_an_expert_s_ranks_share_does_not_keep_two_axes_apart() -> None:
    run = run_pass(two_axes(gathered("weights", "bf16[2]{0}", "bf16[8]{0}", 1, "[2,4]<=[8]")))
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (3, 2)
    assert of(run, "total")["reason"] == "it and %ar, over another axis, become one all-reduce over both"
    assert f"{WIDE} multiply(" in (run.after or "")
    assert "array<i64: 0, 1, 2, 3, 4, 5, 6, 7>" in (run.after or "")


def test_what_an_expert_s_ranks_may_not_share_does() -> None:
    run = run_pass(two_axes("%weights = bf16[8]{0} parameter(1)"))
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 2)
    assert not sank(run)


def test_the_product_of_an_adapter_may_be_spelled_as_a_weighted_sum_of_rows() -> None:
    """XLA:GPU produces this form from a product whose weights differ per row."""
    run = run_pass(
        entry(f"""
        %dense = {FEW} parameter(0)
        %low = bf16[8,4]{{1,0}} parameter(1)
        %part_b = bf16[1,4,64]{{2,1,0}} parameter(2)
        %b = bf16[8,4,64]{{2,1,0}} all-gather(%part_b), {GROUPS_8.replace("=1,", "=3,", 1)}, dimensions={{0}}
        %ar = {all_reduce("%dense", FEW)}
        %small = {all_reduce("%low", "bf16[8,4]{1,0}", groups=GROUPS_8.replace("=1,", "=2,", 1))}
        %spread = bf16[8,4,64]{{2,1,0}} broadcast(%small), dimensions={{0,1}}
        %scaled = bf16[8,4,64]{{2,1,0}} multiply(%spread, %b)
        %zero = bf16[] constant(0)
        %up = {FEW} reduce(%scaled, %zero), dimensions={{1}}, to_apply=%add_bf16
        ROOT %y = {FEW} add(%ar, %up)""")
    )
    assert sank(run)
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (3, 2)


SORTED = (
    gathered("keys", "s32[6,1]{1,0}", "s32[48,1]{1,0}", 2)
    + "\n%index = s32[48,1]{1,0} sort(%keys), dimensions={0}, to_apply=%less"
)
LESS = """
%less (i9: s32[], j9: s32[]) -> pred[] {
  %i9 = s32[] parameter(0)
  %j9 = s32[] parameter(1)
  ROOT %c9 = pred[] compare(%i9, %j9), direction=LT
}
ENTRY"""


def test_indices_that_every_rank_sorts_alike_are_the_same_on_all() -> None:
    assert sank(run_pass(mixture(index=SORTED).replace("ENTRY", LESS, 1)))
    own = SORTED.replace("sort(%keys)", "sort(%own)") + ""
    unlike = "%own = s32[48,1]{1,0} parameter(4)\n" + own
    assert not sank(run_pass(mixture(index=unlike).replace("ENTRY", LESS, 1)))
