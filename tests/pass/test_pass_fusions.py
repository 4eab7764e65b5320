# SPDX-License-Identifier: Apache-2.0
"""Golden tests: modules as XLA:CPU passes them to the hook, after fusion and with bf16 sums promoted to f32."""

from __future__ import annotations

from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass

CONVERT = """
%widen (p0: bf16[8,64]) -> f32[8,64] {
  %p0 = bf16[8,64]{1,0} parameter(0)
  ROOT %wide_sum = f32[8,64]{1,0} convert(%p0)
}
"""

ADD = """
%residual (p1: f32[8,64], p2: bf16[8,64]) -> f32[8,64] {
  %p1 = f32[8,64]{1,0} parameter(0)
  %narrow_sum = bf16[8,64]{1,0} convert(%p1)
  %back = f32[8,64]{1,0} convert(%narrow_sum)
  %p2 = bf16[8,64]{1,0} parameter(1)
  %wide_x = f32[8,64]{1,0} convert(%p2)
  ROOT %sum_x = f32[8,64]{1,0} add(%back, %wide_x)
}
"""

SQUARE = """
%square (p3: f32[8,64]) -> f32[8,64] {
  %p3 = f32[8,64]{1,0} parameter(0)
  ROOT %squared = f32[8,64]{1,0} multiply(%p3, %p3)
}
"""


def windows(size: int, count: int) -> str:
    """The two fusions that XLA:CPU makes from a row sum: windows of `size`, then a reduce over `count` of them."""
    return f"""
%windows (p4: f32[8,64], p5: f32[]) -> f32[8,{count}] {{
  %p4 = f32[8,64]{{1,0}} parameter(0)
  %p5 = f32[] parameter(1)
  ROOT %parts = f32[8,{count}]{{1,0}} reduce-window(%p4, %p5), window={{size=1x{size} stride=1x32}}, to_apply=%add_f32
}}

%finish (p6: f32[8,{count}]) -> f32[8] {{
  %p6 = f32[8,{count}]{{1,0}} parameter(0)
  %nil = f32[] constant(0)
  %total = f32[8]{{0}} reduce(%p6, %nil), dimensions={{1}}, to_apply=%add_f32
  %scale = f32[] constant(0.015625)
  %scales = f32[8]{{0}} broadcast(%scale), dimensions={{}}
  %mean_square = f32[8]{{0}} multiply(%total, %scales)
  ROOT %inverse = f32[8]{{0}} rsqrt(%mean_square)
}}

%scale_rows (p7: f32[8,64], p8: f32[8], p9: bf16[64]) -> bf16[8,64] {{
  %p7 = f32[8,64]{{1,0}} parameter(0)
  %p8 = f32[8]{{0}} parameter(1)
  %rows = f32[8,64]{{1,0}} broadcast(%p8), dimensions={{0}}
  %scaled = f32[8,64]{{1,0}} multiply(%p7, %rows)
  %p9 = bf16[64]{{0}} parameter(2)
  %wide_g = f32[64]{{0}} convert(%p9)
  %gs = f32[8,64]{{1,0}} broadcast(%wide_g), dimensions={{1}}
  %weighted = f32[8,64]{{1,0}} multiply(%scaled, %gs)
  ROOT %normed = bf16[8,64]{{1,0}} convert(%weighted)
}}
"""


NORM_BODY = f"""
%dot = bf16[8,64]{{1,0}} parameter(0)
%x = bf16[8,64]{{1,0}} parameter(1)
%g = bf16[64]{{0}} parameter(2)
%promoted = f32[8,64]{{1,0}} fusion(%dot), kind=kLoop, calls=%widen
%ar = {all_reduce("%promoted", "f32[8,64]{1,0}")}
%y = f32[8,64]{{1,0}} fusion(%ar, %x), kind=kLoop, calls=%residual
%y2 = f32[8,64]{{1,0}} fusion(%y), kind=kLoop, calls=%square
%zero = f32[] constant(0)
%w = f32[8,COUNT]{{1,0}} fusion(%y2, %zero), kind=kLoop, calls=%windows
%r = f32[8]{{0}} fusion(%w), kind=kLoop, calls=%finish
%n = bf16[8,64]{{1,0}} fusion(%y, %r, %g), kind=kLoop, calls=%scale_rows
ROOT %out = (bf16[8,64]{{1,0}}, f32[8,64]{{1,0}}) tuple(%n, %y)"""


def test_fusions_are_absorbed_whole_and_a_windowed_row_sum_is_one_reduction() -> None:
    run = run_pass(
        entry(NORM_BODY.replace("COUNT", "2"), computations=CONVERT + ADD + SQUARE + windows(32, 2)), platform="cpu"
    )
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"] == (
        "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) { x0: f32 row = all_reduce a0; "
        "x1: bf16 row = convert x0; x2: f32 row = convert x1; x3: bf16 row = load a1; x4: f32 row = convert x3; "
        "x5: f32 row = add x2, x4; x6: f32 row = multiply x5, x5; x7: f32 rowscalar = reduce_sum x6; "
        "x8: f32 scalar = constant 0.015625; x9: f32 rowscalar = multiply x7, x8; x10: f32 rowscalar = rsqrt x9; "
        "x11: f32 row = multiply x5, x10; x12: bf16 vec = load a2; x13: f32 vec = convert x12; "
        "x14: f32 row = multiply x11, x13; x15: bf16 row = convert x14 } -> (x5: row, x15: row)"
    )
    left = [line for line in run.body if " fusion(" in line]
    assert left == [], "the promoted operand's convert has no reader left either"
    assert "%windows" not in (run.after or ""), "computations nobody calls go"


def test_windows_that_overlap_are_no_row_sum() -> None:
    """Near miss: windows of 33 with stride 31 count elements twice, with the same opcodes."""
    overlapping = windows(32, 2).replace("size=1x32 stride=1x32", "size=1x33 stride=1x31")
    computations = CONVERT + ADD + SQUARE + overlapping
    run = run_pass(entry(NORM_BODY.replace("COUNT", "2"), computations=computations), platform="cpu")
    assert run.only["reason"] == "the region ends before %w: its window does not tile the row"
    assert "reduce_sum" not in run.only["row_program"]
    assert any(line.startswith("%w = f32[8,2]{1,0} fusion(%y2, %zero)") for line in run.body)


def test_a_fusion_with_a_part_that_has_no_row_form_is_left_whole() -> None:
    mixed = """
%mixed (p3: f32[8,64]) -> f32[8,8,8] {
  %p3 = f32[8,64]{1,0} parameter(0)
  %negated = f32[8,64]{1,0} negate(%p3)
  %cut = f32[8,8,8]{2,1,0} reshape(%negated)
  ROOT %turned = f32[8,8,8]{2,1,0} transpose(%cut), dimensions={0,2,1}
}
"""
    run = run_pass(
        entry(
            f"""
            %dot = f32[8,64]{{1,0}} parameter(0)
            %ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
            ROOT %f = f32[8,8,8]{{2,1,0}} fusion(%ar), kind=kLoop, calls=%mixed""",
            computations=mixed,
        ),
        platform="cpu",
    )
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == "the region ends before %f: transpose moves elements between rows"
    assert "%mixed" in (run.after or "")


SLICED_GAMMA = """
%sliced (p1: f32[8,64], p2: bf16[3,64], p3: s32[]) -> f32[8,64] {
  %p1 = f32[8,64]{1,0} parameter(0)
  %p2 = bf16[3,64]{1,0} parameter(1)
  %p3 = s32[] parameter(2)
  %nil = s32[] constant(0)
  %three = s32[] constant(3)
  %negative = pred[] compare(%p3, %nil), direction=LT
  %wrapped = s32[] add(%p3, %three)
  %index = s32[] select(%negative, %wrapped, %p3)
  %one = bf16[1,64]{1,0} dynamic-slice(%p2, %index, %nil), dynamic_slice_sizes={1,64}
  %gamma = bf16[64]{0} bitcast(%one)
  %wide = f32[64]{0} convert(%gamma)
  %rows = f32[8,64]{1,0} broadcast(%wide), dimensions={1}
  ROOT %weighted = f32[8,64]{1,0} multiply(%p1, %rows)
}
"""


def test_a_gamma_sliced_from_a_stack_inside_a_fusion_is_sliced_in_front_of_the_call() -> None:
    run = run_pass(
        entry(
            f"""
            %dot = f32[8,64]{{1,0}} parameter(0)
            %stack = bf16[3,64]{{1,0}} parameter(1)
            %i = s32[] parameter(2)
            %ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
            ROOT %n = f32[8,64]{{1,0}} fusion(%ar, %stack, %i), kind=kLoop, calls=%sliced""",
            computations=SLICED_GAMMA,
        ),
        platform="cpu",
    )
    assert run.only["verdict"] == "fused"
    assert "a1: local bf16 vec" in run.only["row_program"]
    (slice_,) = [line for line in run.body if "dynamic-slice(" in line]
    assert slice_.split("dynamic-slice(")[1].startswith("%stack, ")


def test_a_slice_of_the_region_itself_is_not_moved_in_front_of_it() -> None:
    """Near miss: the index is computed from the sum."""
    computed = SLICED_GAMMA.replace(
        "%p3 = s32[] parameter(2)",
        "%row = f32[1,64]{1,0} slice(%p1), slice={[0:1], [0:64]}\n"
        "%cell = f32[1,1]{1,0} slice(%row), slice={[0:1], [0:1]}\n"
        "%scalar = f32[] reshape(%cell)\n%p3 = s32[] convert(%scalar)",
    ).replace(", p3: s32[]", "")
    run = run_pass(
        entry(
            f"""
            %dot = f32[8,64]{{1,0}} parameter(0)
            %stack = bf16[3,64]{{1,0}} parameter(1)
            %ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
            ROOT %n = f32[8,64]{{1,0}} fusion(%ar, %stack), kind=kLoop, calls=%sliced""",
            computations=computed,
        ),
        platform="cpu",
    )
    assert run.only["verdict"] == "plain"


GATHERED_POSITIONS = """
%positioned (p8: f32[8,64], p9: f32[32,64], p10: s32[8,1]) -> f32[8,64] {
  %p8 = f32[8,64]{1,0} parameter(0)
  %p9 = f32[32,64]{1,0} parameter(1)
  %p10 = s32[8,1]{1,0} parameter(2)
  %gathered = f32[8,64]{1,0} gather(%p9, %p10), offset_dims={1}, collapsed_slice_dims={0}, start_index_map={0},
      index_vector_dim=1, slice_sizes={1,64}
  ROOT %there = f32[8,64]{1,0} add(%p8, %gathered)
}
""".replace("\n      index", " index")


def test_rows_of_a_table_gathered_inside_a_fusion_are_gathered_in_front_of_the_call() -> None:
    """As in GPT-2, which adds position embeddings to the all-reduced token embeddings."""
    run = run_pass(
        entry(
            f"""
            %dot = f32[8,64]{{1,0}} parameter(0)
            %table = f32[32,64]{{1,0}} parameter(1)
            %ids = s32[8,1]{{1,0}} parameter(2)
            %ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
            ROOT %x = f32[8,64]{{1,0}} fusion(%ar, %table, %ids), kind=kLoop, calls=%positioned""",
            computations=GATHERED_POSITIONS,
        ),
        platform="cpu",
    )
    assert run.only["verdict"] == "fused"
    assert "a1: local f32 row" in run.only["row_program"]
    (gather,) = [line for line in run.body if " gather(" in line]
    assert "gather(%table, %ids)" in gather
    assert gather.endswith("index_vector_dim=1, slice_sizes={1,64}")


def test_a_gather_from_the_region_itself_is_not_moved_in_front_of_it() -> None:
    """Near miss: the table is the sum."""
    run = run_pass(
        entry(
            f"""
            %dot = f32[32,64]{{1,0}} parameter(0)
            %ids = s32[8,1]{{1,0}} parameter(1)
            %x = f32[8,64]{{1,0}} parameter(2)
            %ar = {all_reduce("%dot", "f32[32,64]{1,0}")}
            ROOT %y = f32[8,64]{{1,0}} fusion(%x, %ar, %ids), kind=kLoop, calls=%positioned""",
            computations=GATHERED_POSITIONS,
        ),
        platform="cpu",
    )
    assert run.only["verdict"] == "plain"
    assert "gather has no row form" in run.only["reason"]
    assert run.body[-1].startswith("ROOT %y = f32[8,64]{1,0} fusion(")


TWO_RESULTS = """
%two (p1: f32[8,64], p2: f32[8,64]) -> (f32[8,64], bf16[8,64]) {
  %p1 = f32[8,64]{1,0} parameter(0)
  %p2 = f32[8,64]{1,0} parameter(1)
  %both = f32[8,64]{1,0} add(%p1, %p2)
  %cast = bf16[8,64]{1,0} convert(%both)
  ROOT %pair = (f32[8,64]{1,0}, bf16[8,64]{1,0}) tuple(%both, %cast)
}
"""


def test_a_fusion_with_several_results_is_absorbed_through_its_tuple() -> None:
    run = run_pass(
        entry(
            f"""
            %a = f32[8,64]{{1,0}} parameter(0)
            %b = f32[8,64]{{1,0}} parameter(1)
            %ar = (f32[8,64]{{1,0}}, f32[8,64]{{1,0}}) all-reduce(%a, %b), {GROUPS_8}, to_apply=%add_f32
            %a0 = f32[8,64]{{1,0}} get-tuple-element(%ar), index=0
            %b0 = f32[8,64]{{1,0}} get-tuple-element(%ar), index=1
            %f = (f32[8,64]{{1,0}}, bf16[8,64]{{1,0}}) fusion(%a0, %b0), kind=kLoop, calls=%two
            %y = f32[8,64]{{1,0}} get-tuple-element(%f), index=0
            %z = bf16[8,64]{{1,0}} get-tuple-element(%f), index=1
            ROOT %out = (f32[8,64]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%y, %z)""",
            computations=TWO_RESULTS,
        ),
        platform="cpu",
    )
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"].count("sum f32 row") == 2
    assert run.only["outputs"] == 2
    assert run.report["collectives_after"] == 1


def masked(ids: str, mark: str = "") -> str:
    """%masked: a residual add in which integers of shape `ids` mask the residual. `mark` is appended to names."""
    dims = "{0}" if ids == "s32[8]" else "{0,1}"
    pred = ids.replace("s32", "pred")
    lines = f"""
%masked@ (p1@: f32[8,64], p2@: bf16[8,64], p3@: {ids}) -> f32[8,64] {{
  %p1@ = f32[8,64]{{1,0}} parameter(0)
  %p2@ = bf16[8,64]{{1,0}} parameter(1)
  %p3@ = {ids} parameter(2)
  %low@ = s32[] constant(0)
  %lows@ = {ids} broadcast(%low@), dimensions={{}}
  %high@ = s32[] constant(99)
  %highs@ = {ids} broadcast(%high@), dimensions={{}}
  %above@ = {pred} compare(%p3@, %lows@), direction=GE
  %below@ = {pred} compare(%p3@, %highs@), direction=LE
  %inside@ = {pred} and(%above@, %below@)
  %mask@ = pred[8,64]{{1,0}} broadcast(%inside@), dimensions={dims}
  %nan@ = bf16[] constant(nan)
  %nans@ = bf16[8,64]{{1,0}} broadcast(%nan@), dimensions={{}}
  %taken@ = bf16[8,64]{{1,0}} select(%mask@, %p2@, %nans@)
  %wide_x@ = f32[8,64]{{1,0}} convert(%taken@)
  ROOT %y_wide@ = f32[8,64]{{1,0}} add(%p1@, %wide_x@)
}}
"""
    return lines.replace("@", mark)


MASKED_BODY = f"""
%dot = f32[8,64]{{1,0}} parameter(0)
%x = bf16[8,64]{{1,0}} parameter(1)
%ids = IDS parameter(2)
%ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
ROOT %y = f32[8,64]{{1,0}} fusion(%ar, %x, %ids), kind=kLoop, calls=%masked"""


def test_integer_math_of_one_value_per_row_is_hoisted_as_one_operand() -> None:
    run = run_pass(entry(MASKED_BODY.replace("IDS", "s32[8]"), computations=masked("s32[8]")), platform="cpu")
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"] == (
        "v1 (a0: sum f32 row, a1: local pred rowscalar, a2: local bf16 row) { x0: f32 row = all_reduce a0; "
        "x1: pred rowscalar = load a1; x2: bf16 row = load a2; x3: bf16 scalar = constant nan; "
        "x4: bf16 row = select x1, x2, x3; x5: f32 row = convert x4; x6: f32 row = add x0, x5 } -> (x6: row)"
    )
    hoisted = [line for line in run.body if line.startswith("%jax_oneshot_operand")]
    opcodes = ["constant", "broadcast", "compare", "constant", "broadcast", "compare", "and"]
    assert [line.split("(")[0].split()[-1] for line in hoisted] == opcodes


def test_integer_math_of_a_full_row_stays_in_its_fusion() -> None:
    text = entry(MASKED_BODY.replace("IDS", "s32[8,64]"), computations=masked("s32[8,64]"))
    run = run_pass(text, platform="cpu")
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == "the region ends before %y: operand %wide_x (convert) has no row form"


def test_an_expression_found_in_two_fusions_is_hoisted_once() -> None:
    body = f"""{MASKED_BODY.replace("ROOT ", "").replace("IDS", "s32[8]")}
%ar2 = {all_reduce("%y", "f32[8,64]{1,0}")}
ROOT %z = f32[8,64]{{1,0}} fusion(%ar2, %x, %ids), kind=kLoop, calls=%masked.2"""
    run = run_pass(entry(body, computations=masked("s32[8]") + masked("s32[8]", ".2")), platform="cpu")
    assert [verdict["verdict"] for verdict in run.verdicts] == ["fused", "fused"]
    assert len([line for line in run.body if line.startswith("%jax_oneshot_operand")]) == 7
