# SPDX-License-Identifier: Apache-2.0
"""Golden tests: the epilogues of real models in their spellings, and near misses of each."""

from __future__ import annotations

import pytest
from hlo_fixture import all_reduce, entry, run_pass

PARAMETERS = """
%dot = bf16[8,64]{1,0} parameter(0)
%x = bf16[8,64]{1,0} parameter(1)
%g = bf16[64]{0} parameter(2)
"""

RMS_NORM = """
%f = f32[8,64]{1,0} convert(%y)
%sq = f32[8,64]{1,0} multiply(%f, %f)
%zero = f32[] constant(0)
%s = f32[8]{0} reduce(%sq, %zero), dimensions={1}, to_apply=%add_f32
%inv = f32[] constant(0.015625)
%invs = f32[8]{0} broadcast(%inv), dimensions={}
%mean = f32[8]{0} multiply(%s, %invs)
%eps = f32[] constant(1e-05)
%epss = f32[8]{0} broadcast(%eps), dimensions={}
%var = f32[8]{0} add(%mean, %epss)
%r = f32[8]{0} rsqrt(%var)
%rb = f32[8,64]{1,0} broadcast(%r), dimensions={0}
%nf = f32[8,64]{1,0} multiply(%f, %rb)
%nb = bf16[8,64]{1,0} convert(%nf)
%gb = bf16[8,64]{1,0} broadcast(%g), dimensions={1}
%n = bf16[8,64]{1,0} multiply(%nb, %gb)
"""

RMS_PROGRAM = (
    "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) { x0: bf16 row = all_reduce a0; "
    "x1: bf16 row = load a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant 0.015625; x7: f32 rowscalar = multiply x5, x6; "
    "x8: f32 scalar = constant 1e-05; x9: f32 rowscalar = add x7, x8; x10: f32 rowscalar = rsqrt x9; "
    "x11: f32 row = multiply x3, x10; x12: bf16 row = convert x11; x13: bf16 vec = load a2; "
    "x14: bf16 row = multiply x12, x13 } -> (x2: row, x14: row)"
)


def test_residual_and_rms_norm_become_one_call_with_two_outputs() -> None:
    run = run_pass(
        entry(f"""{PARAMETERS}
        %ar = {all_reduce("%dot")}
        %y = bf16[8,64]{{1,0}} add(%x, %ar)
        {RMS_NORM}
        ROOT %out = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%n, %y)""")
    )
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"] == RMS_PROGRAM
    assert run.only["outputs"] == 2
    assert run.only["bytes"] == 8 * 64 * 2
    assert run.only["group_size"] == 8
    names = [line.split(" = ")[0] for line in run.body]
    assert sorted(names) == ["%dot", "%g", "%jax_oneshot.0", "%n", "%x", "%y", "ROOT %out"]
    assert 'custom_call_target="jax_oneshot.all_reduce"' in run.body[3]
    assert "api_version=API_VERSION_TYPED_FFI" in (run.after or "")
    assert run.report["collectives_before"] == run.report["collectives_after"] == 1


def test_a_residual_with_another_row_order_is_not_absorbed() -> None:
    """Near miss: the sum is transposed before the norm, so rows are no longer rows."""
    run = run_pass(
        entry(f"""
        %dot = bf16[8,8]{{1,0}} parameter(0)
        %ar = {all_reduce("%dot", "bf16[8,8]{1,0}")}
        %t = bf16[8,8]{{1,0}} transpose(%ar), dimensions={{1,0}}
        ROOT %y = bf16[8,8]{{1,0}} add(%t, %t)""")
    )
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == "the region ends before %t: the region never transposes it back to rows"
    assert "%t = bf16[8,8]{1,0} transpose(%ar)" in "\n".join(run.body)


@pytest.mark.parametrize("order", ["%x, %ar3", "%ar3, %x"])
def test_reshapes_between_tokens_and_batch_are_no_ops(order: str) -> None:
    run = run_pass(
        entry(f"""
        %dot = bf16[8,64]{{1,0}} parameter(0)
        %x = bf16[2,4,64]{{2,1,0}} parameter(1)
        %ar = {all_reduce("%dot")}
        %ar3 = bf16[2,4,64]{{2,1,0}} reshape(%ar)
        %y = bf16[2,4,64]{{2,1,0}} add({order})
        %h = bf16[8,64]{{1,0}} reshape(%y)
        ROOT %d = bf16[8,8]{{1,0}} dot(%h, %h), lhs_contracting_dims={{1}}, rhs_contracting_dims={{1}}""")
    )
    assert run.only["verdict"] == "fused"
    assert run.only["absorbed"]["instructions"] == 2
    assert "add x" in run.only["row_program"]


def test_a_reshape_that_splits_the_row_ends_the_region() -> None:
    run = run_pass(
        entry(f"""
        %dot = bf16[8,64]{{1,0}} parameter(0)
        %ar = {all_reduce("%dot")}
        %heads = bf16[8,4,16]{{2,1,0}} reshape(%ar)
        %f = f32[8,4,16]{{2,1,0}} convert(%heads)
        %zero = f32[] constant(0)
        ROOT %s = f32[8,4]{{1,0}} reduce(%f, %zero), dimensions={{2}}, to_apply=%max_f32""")
    )
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == "the region ends before %s: reduce is not over the whole row"


LAYER_NORMS = {
    "two-pass variance": """
        %mb = f32[8,64]{1,0} broadcast(%mean), dimensions={0}
        %c = f32[8,64]{1,0} subtract(%f, %mb)
        %c2 = f32[8,64]{1,0} multiply(%c, %c)
        %vs = f32[8]{0} reduce(%c2, %zero), dimensions={1}, to_apply=%add_f32
        %v = f32[8]{0} multiply(%vs, %invs)""",
    "mean of squares minus square of mean": """
        %mb = f32[8,64]{1,0} broadcast(%mean), dimensions={0}
        %c = f32[8,64]{1,0} subtract(%f, %mb)
        %sq = f32[8,64]{1,0} multiply(%f, %f)
        %vs = f32[8]{0} reduce(%sq, %zero), dimensions={1}, to_apply=%add_f32
        %m2 = f32[8]{0} multiply(%vs, %invs)
        %mm = f32[8]{0} multiply(%mean, %mean)
        %v = f32[8]{0} subtract(%m2, %mm)""",
}


@pytest.mark.parametrize("spelling", LAYER_NORMS)
def test_layer_norm_is_absorbed_in_both_spellings_of_the_variance(spelling: str) -> None:
    run = run_pass(
        entry(f"""
        %dot = f32[8,64]{{1,0}} parameter(0)
        %b = f32[64]{{0}} parameter(1)
        %g = f32[64]{{0}} parameter(2)
        %beta = f32[64]{{0}} parameter(3)
        %ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
        %bb = f32[8,64]{{1,0}} broadcast(%b), dimensions={{1}}
        %f = f32[8,64]{{1,0}} add(%ar, %bb)
        %zero = f32[] constant(0)
        %inv = f32[] constant(0.015625)
        %invs = f32[8]{{0}} broadcast(%inv), dimensions={{}}
        %s = f32[8]{{0}} reduce(%f, %zero), dimensions={{1}}, to_apply=%add_f32
        %mean = f32[8]{{0}} multiply(%s, %invs)
        {LAYER_NORMS[spelling]}
        %r = f32[8]{{0}} rsqrt(%v)
        %rb = f32[8,64]{{1,0}} broadcast(%r), dimensions={{0}}
        %gb = f32[8,64]{{1,0}} broadcast(%g), dimensions={{1}}
        %rg = f32[8,64]{{1,0}} multiply(%rb, %gb)
        %n0 = f32[8,64]{{1,0}} multiply(%c, %rg)
        %betab = f32[8,64]{{1,0}} broadcast(%beta), dimensions={{1}}
        ROOT %n = f32[8,64]{{1,0}} add(%n0, %betab)""")
    )
    assert run.only["verdict"] == "fused"
    assert run.only["reason"] == "everything after it was absorbed"
    assert run.only["outputs"] == 1
    assert len([line for line in run.body if "parameter(" not in line]) == 1


def test_post_norm_then_add_then_norm_is_one_call() -> None:
    """Gemma 2: all-reduce -> norm -> add(residual) -> norm, with gammas as 1 + g."""
    run = run_pass(
        entry(f"""
        %dot = f32[8,64]{{1,0}} parameter(0)
        %x = f32[8,64]{{1,0}} parameter(1)
        %g = bf16[64]{{0}} parameter(2)
        %ar = {all_reduce("%dot", "f32[8,64]{1,0}")}
        %zero = f32[] constant(0)
        %one = f32[] constant(1)
        %ones = f32[64]{{0}} broadcast(%one), dimensions={{}}
        %gf = f32[64]{{0}} convert(%g)
        %g1 = f32[64]{{0}} add(%ones, %gf)
        %gb = f32[8,64]{{1,0}} broadcast(%g1), dimensions={{1}}
        %sq = f32[8,64]{{1,0}} multiply(%ar, %ar)
        %s = f32[8]{{0}} reduce(%sq, %zero), dimensions={{1}}, to_apply=%add_f32
        %root = f32[8]{{0}} sqrt(%s)
        %rootb = f32[8,64]{{1,0}} broadcast(%root), dimensions={{0}}
        %n1 = f32[8,64]{{1,0}} divide(%ar, %rootb)
        %n1g = f32[8,64]{{1,0}} multiply(%n1, %gb)
        %y = f32[8,64]{{1,0}} add(%n1g, %x)
        %sq2 = f32[8,64]{{1,0}} multiply(%y, %y)
        %sum2 = f32[8]{{0}} reduce(%sq2, %zero), dimensions={{1}}, to_apply=%add_f32
        %r2 = f32[8]{{0}} rsqrt(%sum2)
        %r2b = f32[8,64]{{1,0}} broadcast(%r2), dimensions={{0}}
        %n2 = f32[8,64]{{1,0}} multiply(%y, %r2b)
        ROOT %out = (f32[8,64]{{1,0}}, f32[8,64]{{1,0}}) tuple(%n2, %y)""")
    )
    assert run.only["verdict"] == "fused"
    assert run.only["row_program"].count("reduce_sum") == 2
    assert "local bf16 vec" in run.only["row_program"]
    assert not [line for line in run.body if line.startswith(("%g1", "%gf", "%gb"))], "gamma's own math moves along"


def test_the_narrow_residual_is_returned_when_only_its_f32_form_is_read_outside() -> None:
    run = run_pass(
        entry(f"""{PARAMETERS}
        %ar = {all_reduce("%dot")}
        %y = bf16[8,64]{{1,0}} add(%x, %ar)
        %w = f32[8,64]{{1,0}} convert(%y)
        ROOT %d = f32[8,8]{{1,0}} dot(%w, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{1}}""")
    )
    assert run.only["row_program"].endswith("-> (x2: row)")
    assert [line for line in run.body if line.startswith("%w = f32[8,64]{1,0} convert(%y)")]


def test_an_elementwise_op_that_xla_fuses_for_free_is_left_to_it_on_cuda_only() -> None:
    body = f"""{PARAMETERS}
        %cos = bf16[8,64]{{1,0}} parameter(3)
        %ar = {all_reduce("%dot")}
        %m = bf16[8,64]{{1,0}} multiply(%ar, %cos)
        %half = bf16[8,32]{{1,0}} slice(%m), slice={{[0:8], [0:32]}}
        ROOT %out = (bf16[8,32]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%half, %ar)"""
    on_cuda = run_pass(entry(body), platform="cuda")
    on_cpu = run_pass(entry(body), platform="cpu")
    assert on_cuda.only["verdict"] == "plain"
    assert on_cpu.only["verdict"] == "fused"


def test_a_residual_in_another_layout_is_copied_in_front_of_the_call() -> None:
    """As in models whose first residual comes from a transposed embedding."""
    run = run_pass(
        entry(f"""
        %dot = bf16[8,64]{{1,0}} parameter(0)
        %columns = bf16[64,8]{{1,0}} parameter(1)
        %ar = {all_reduce("%dot")}
        %residual = bf16[8,64]{{0,1}} transpose(%columns), dimensions={{1,0}}
        %x = bf16[8,64]{{1,0}} add(%ar, %residual)
        %f = f32[8,64]{{1,0}} convert(%x)
        %zero = f32[] constant(0)
        %s = f32[8]{{0}} reduce(%f, %zero), dimensions={{1}}, to_apply=%add_f32
        %b = f32[8,64]{{1,0}} broadcast(%s), dimensions={{0}}
        ROOT %n = f32[8,64]{{1,0}} divide(%f, %b)""")
    )
    assert run.only["verdict"] == "fused"
    (copy,) = [line for line in run.body if " copy(" in line]
    assert copy.startswith("%jax_oneshot_operand")
    assert copy.endswith("bf16[8,64]{1,0} copy(%residual)")
