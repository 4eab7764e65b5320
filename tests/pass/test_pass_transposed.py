# SPDX-License-Identifier: Apache-2.0
"""Golden tests: values in [columns, rows] order, and near misses, which are left unchanged.

MaxText scales its norms with the einsum "...k,k->...k", whose `dot_general` becomes a multiplication of such values.
"""

from __future__ import annotations

import pytest
from hlo_fixture import GROUPS_8, all_reduce, entry, run_pass

NORM = f"""
%dot = bf16[8,64]{{1,0}} parameter(0)
%g = f32[64]{{0}} parameter(1)
%ar = {all_reduce("%dot")}
%f = f32[8,64]{{1,0}} convert(%ar)
%sq = f32[8,64]{{1,0}} multiply(%f, %f)
%zero = f32[] constant(0)
%s = f32[8]{{0}} reduce(%sq, %zero), dimensions={{1}}, to_apply=%add_f32
%r = f32[8]{{0}} rsqrt(%s)
%rb = f32[8,64]{{1,0}} broadcast(%r), dimensions={{0}}
%y = f32[8,64]{{1,0}} multiply(%f, %rb)
"""
PLAIN = "%gb = f32[8,64]{1,0} broadcast(%g), dimensions={1}\n%n = f32[8,64]{1,0} multiply(%gb, %y)"
SCALE = "%gb = f32[64,8]{1,0} broadcast(%g), dimensions={0}\n%m = f32[64,8]{1,0} multiply(%gb, %t)"
RESULT = "ROOT %out = (f32[8,64]{1,0}) tuple(%n)"
THERE = "%t = f32[64,8]{1,0} transpose(%y), dimensions={1,0}"
BACK = "%n = f32[8,64]{1,0} transpose(%m), dimensions={1,0}"

SPELLINGS = {
    "transposes": f"{THERE}\n{SCALE}\n{BACK}",
    "a transpose that is another layout, and copies": f"""
        %t0 = f32[64,8]{{0,1}} transpose(%y), dimensions={{1,0}}
        %t = f32[64,8]{{1,0}} copy(%t0)
        {SCALE}
        %n0 = f32[8,64]{{0,1}} transpose(%m), dimensions={{1,0}}
        %n = f32[8,64]{{1,0}} copy(%n0)""",
    "bitcasts between layouts": f"""
        %y0 = f32[8,64]{{0,1}} copy(%y)
        %t = f32[64,8]{{1,0}} bitcast(%y0)
        {SCALE}
        %n0 = f32[8,64]{{0,1}} bitcast(%m)
        %n = f32[8,64]{{1,0}} copy(%n0)""",
    "batch and tokens apart": f"""
        %y3 = f32[2,4,64]{{2,1,0}} reshape(%y)
        %t3 = f32[64,2,4]{{2,1,0}} transpose(%y3), dimensions={{2,0,1}}
        %t = f32[64,8]{{1,0}} reshape(%t3)
        {SCALE}
        %m3 = f32[64,1,8]{{2,1,0}} reshape(%m)
        %n3 = f32[8,1,64]{{2,1,0}} transpose(%m3), dimensions={{2,1,0}}
        %n = f32[8,64]{{1,0}} reshape(%n3)""",
}


def outside(text: str, *names: str) -> set[str]:
    """The module's lines that define these names."""
    return {line.strip() for line in text.splitlines() if line.strip().removeprefix("ROOT ").split(" = ")[0] in names}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_norm_scaled_as_columns_is_the_norm(spelling: str) -> None:
    plain = run_pass(entry(f"{NORM}{PLAIN}\n{RESULT}"))
    run = run_pass(entry(f"{NORM}{SPELLINGS[spelling]}\n{RESULT}"))
    assert plain.only["verdict"] == "fused"
    assert run.only["row_program"] == plain.only["row_program"]
    assert outside("\n".join(run.body), "%y", "%t", "%gb", "%m") == set()


def test_a_sum_over_columns_that_come_first_is_one_over_rows() -> None:
    body = NORM.replace("%sq = f32[8,64]{1,0} multiply(%f, %f)", "%sq0 = f32[8,64]{1,0} multiply(%f, %f)").replace(
        "%s = f32[8]{0} reduce(%sq, %zero), dimensions={1}",
        "%sq = f32[64,8]{1,0} transpose(%sq0), dimensions={1,0}\n%s = f32[8]{0} reduce(%sq, %zero), dimensions={0}",
    )
    run = run_pass(entry(f"{body}{PLAIN}\n{RESULT}"))
    assert run.only["row_program"] == run_pass(entry(f"{NORM}{PLAIN}\n{RESULT}")).only["row_program"]


NEAR_MISSES = {
    "rows in another order": (
        """%y3 = f32[2,4,64]{2,1,0} reshape(%y)
        %t3 = f32[64,4,2]{2,1,0} transpose(%y3), dimensions={2,1,0}
        %t = f32[64,8]{1,0} reshape(%t3)""",
        "the region ends before %t3: transpose moves elements between rows",
        ("%t3", "%t", "%gb", "%m", "%n"),
    ),
    "columns in another order": (
        """%y3 = f32[8,4,16]{2,1,0} reshape(%y)
        %t3 = f32[16,4,8]{2,1,0} transpose(%y3), dimensions={2,1,0}
        %t = f32[64,8]{1,0} reshape(%t3)""",
        "the region ends before %t3: transpose moves elements between rows",
        ("%t3", "%t", "%gb", "%m", "%n"),
    ),
    "a reshape that is no transpose": (
        "%t = f32[64,8]{1,0} reshape(%y)",
        "the region ends before %t: reshape from f32[8,64] to f32[64,8] mixes rows and width",
        ("%t", "%gb", "%m", "%n"),
    ),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_what_mixes_rows_or_columns_stays(case: str) -> None:
    there, reason, names = NEAR_MISSES[case]
    text = entry(f"{NORM}{there}\n{SCALE}\n{BACK}\n{RESULT}")
    run = run_pass(text)
    assert run.only["reason"] == reason
    assert outside("\n".join(run.body), *names) == outside(text, *names)


def test_what_is_read_as_columns_outside_stays_with_all_that_is_made_of_it() -> None:
    names = ("%t", "%gb", "%m", "%n")
    text = entry(f"{NORM}{THERE}\n{SCALE}\n{BACK}\nROOT %out = (f32[8,64]{{1,0}}, f32[64,8]{{1,0}}) tuple(%n, %m)")
    run = run_pass(text)
    assert run.only["verdict"] == "fused", "the norm without its weight"
    assert run.only["reason"] == "the region ends before %t: the region never transposes it back to rows"
    assert outside("\n".join(run.body), *names) == outside(text, *names)


def test_a_transpose_that_is_read_outside_too_stays_beside_the_call() -> None:
    """It costs as little as a reshape, since it reads a result of the call."""
    text = entry(f"{NORM}{THERE}\n{SCALE}\n{BACK}\nROOT %out = (f32[8,64]{{1,0}}, f32[64,8]{{1,0}}) tuple(%n, %t)")
    run = run_pass(text)
    assert run.only["outputs"] == 2
    assert outside("\n".join(run.body), "%t") == outside(text, "%t")
    assert outside("\n".join(run.body), "%m", "%gb") == set()


SQUARE = f"""
%dot = bf16[8,8]{{1,0}} parameter(0)
%x = bf16[8,8]{{1,0}} parameter(1)
%g = bf16[8]{{0}} parameter(2)
%ar = {all_reduce("%dot", "bf16[8,8]{1,0}")}
%t = bf16[8,8]{{1,0}} transpose(%ar), dimensions={{1,0}}
"""
SQUARES = {
    "the rows themselves": "ROOT %y = bf16[8,8]{1,0} add(%ar, %t)",
    "a residual as it is": "ROOT %y = bf16[8,8]{1,0} add(%x, %t)",
    "a residual, and then back": """%s = bf16[8,8]{1,0} add(%x, %t)
        ROOT %y = bf16[8,8]{1,0} transpose(%s), dimensions={1,0}""",
    "the rows, and then back": """%s = bf16[8,8]{1,0} add(%ar, %t)
        ROOT %y = bf16[8,8]{1,0} transpose(%s), dimensions={1,0}""",
}


@pytest.mark.parametrize("case", SQUARES)
def test_as_many_rows_as_columns_are_not_taken_for_each_other(case: str) -> None:
    text = entry(SQUARE + SQUARES[case])
    run = run_pass(text)
    assert run.only["verdict"] == "plain"
    assert run.only["reason"] == "the region ends before %t: the region never transposes it back to rows"
    assert outside("\n".join(run.body), "%t", "%s", "%y") == outside(text, "%t", "%s", "%y")


@pytest.mark.parametrize(("dimension", "kind"), [(0, "vec"), (1, "rowscalar")])
def test_as_many_rows_as_columns_are_told_apart_by_what_was_transposed(dimension: int, kind: str) -> None:
    body = f"""{SQUARE}
        %gb = bf16[8,8]{{1,0}} broadcast(%g), dimensions={{{dimension}}}
        %xt = bf16[8,8]{{1,0}} transpose(%x), dimensions={{1,0}}
        %s = bf16[8,8]{{1,0}} multiply(%gb, %t)
        %u = bf16[8,8]{{1,0}} add(%s, %xt)
        ROOT %y = bf16[8,8]{{1,0}} transpose(%u), dimensions={{1,0}}"""
    assert run_pass(entry(body)).only["row_program"] == (
        f"v1 (a0: sum bf16 row, a1: local bf16 {kind}, a2: local bf16 row) {{ x0: bf16 row = all_reduce a0; "
        f"x1: bf16 {kind} = load a1; x2: bf16 row = multiply x1, x0; x3: bf16 row = load a2; "
        "x4: bf16 row = add x2, x3 } -> (x4: row)"
    )


# A norm of MaxText with a sharded weight, as XLA:CPU passes it to the hook; batch and tokens are separate dimensions.
SHARDED_NORM = """
%fused_sum (p0: bf16[8,1,32]) -> f32[8,1] {
  %p0 = bf16[8,1,32]{2,1,0} parameter(0)
  %c = f32[8,1,32]{2,1,0} convert(%p0)
  %sq = f32[8,1,32]{2,1,0} multiply(%c, %c)
  %zero = f32[] constant(0)
  ROOT %sums = f32[8,1]{1,0} reduce(%sq, %zero), dimensions={2}, to_apply=%add_f32
}

%fused_scale (p1: f32[8,1], p2: bf16[32], p3: bf16[8,1,32]) -> f32[SCALED] {
  %p1 = f32[8,1]{1,0} parameter(0)
  %p2 = bf16[32]{0} parameter(1)
  %p3 = bf16[8,1,32]{2,1,0} parameter(2)
  %g = f32[32]{0} convert(%p2)
  %gb = f32[32,8]{1,0} broadcast(%g), dimensions={0}
  %x = f32[8,1,32]{2,1,0} convert(%p3)
  %rs = f32[8,1]{1,0} rsqrt(%p1)
  %r = f32[8]{0} bitcast(%rs)
  %rb = f32[8,1,32]{2,1,0} broadcast(%r), dimensions={0}
  %xr = f32[8,1,32]{2,1,0} multiply(%x, %rb)
  %t = f32[32,8,1]{0,2,1} transpose(%xr), dimensions={2,0,1}
  %tc = f32[32,8,1]{2,1,0} copy(%t)
  %tb = f32[32,8]{1,0} bitcast(%tc)
  %y = f32[32,8]{1,0} multiply(%gb, %tb)
  %yb = f32[32,8,1]{1,0,2} bitcast(%y)
  LAST
}

%fused_narrow (p4: f32[GATHERED]) -> bf16[8,256] {
  %p4 = f32[GATHERED]LAYOUT parameter(0)
  NARROW
  ROOT %b = bf16[8,256]{1,0} bitcast(%nc)
}
"""
SHARDED_BODY = f"""
%shard = bf16[8,1,32]{{2,1,0}} parameter(0)
%gamma = bf16[32]{{0}} parameter(1)
%rowsums = f32[8,1]{{1,0}} fusion(%shard), kind=kLoop, calls=%fused_sum
%ar = {all_reduce("%rowsums", "f32[8,1]{1,0}")}
%sc = f32[SCALED]LAYOUT fusion(%ar, %gamma, %shard), kind=kLoop, calls=%fused_scale
%ag = f32[GATHERED]LAYOUT all-gather(%sc), {GROUPS_8.replace("=1,", "=2,")}, dimensions={{DIMENSION}}
ROOT %n = bf16[8,256]{{1,0}} fusion(%ag), kind=kLoop, calls=%fused_narrow
"""
ROWS_GATHERED = {
    "SCALED": "8,1,32",
    "GATHERED": "8,1,256",
    "LAYOUT": "{1,0,2}",
    "DIMENSION": "2",
    "LAST": """%yc = f32[32,8,1]{2,1,0} copy(%yb)
  ROOT %back = f32[8,1,32]{1,0,2} transpose(%yc), dimensions={1,2,0}""",
    "NARROW": "%cp = f32[8,1,256]{2,1,0} copy(%p4)\n  %nc = bf16[8,1,256]{2,1,0} convert(%cp)",
}
COLUMNS_GATHERED = {
    "SCALED": "32,8,1",
    "GATHERED": "256,8,1",
    "LAYOUT": "{2,1,0}",
    "DIMENSION": "0",
    "LAST": "ROOT %yc = f32[32,8,1]{2,1,0} copy(%yb)",
    "NARROW": """%cv = bf16[256,8,1]{2,1,0} convert(%p4)
  %tr = bf16[8,1,256]{1,0,2} transpose(%cv), dimensions={1,2,0}
  %nc = bf16[8,1,256]{2,1,0} copy(%tr)""",
}
SHARDED_PROGRAM = (
    "v1 (a0: gather bf16 row, a1: gather bf16 vec) { x0: bf16 row = all_gather a0; x1: f32 row = convert x0; "
    "x2: f32 row = multiply x1, x1; x3: f32 rowscalar = reduce_sum x2; x4: f32 rowscalar = rsqrt x3; "
    "x5: f32 row = multiply x1, x4; x6: bf16 vec = all_gather a1; x7: f32 vec = convert x6; "
    "x8: f32 row = multiply x7, x5; x9: bf16 row = convert x8 } -> (x9: row)"
)


def sharded_norm(form: dict[str, str]) -> str:
    """The module in one of the two forms."""
    body, computations = SHARDED_BODY, SHARDED_NORM
    for hole, text in form.items():
        body, computations = body.replace(hole, text), computations.replace(hole, text)
    return entry(body, computations=computations)


@pytest.mark.parametrize("form", [ROWS_GATHERED, COLUMNS_GATHERED], ids=["rows gathered", "columns gathered"])
def test_a_sharded_norm_scaled_as_columns_is_one_call(form: dict[str, str]) -> None:
    run = run_pass(sharded_norm(form), platform="cpu")
    assert run.only["row_program"] == SHARDED_PROGRAM
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 1)


def test_gathered_columns_that_are_read_as_they_are_stay() -> None:
    """A dot may contract the first dimension, and the call cannot return such a value."""
    text = sharded_norm(COLUMNS_GATHERED).replace("ROOT %n =", "%n =")
    last = "ROOT %out = (bf16[8,256]{1,0}, f32[256,8,1]{2,1,0}) tuple(%n, %ag)\n}"
    text = text.rstrip().removesuffix("}") + last
    run = run_pass(text, platform="cpu")
    assert "gather" not in run.only["row_program"]
    assert run.report["collectives_after"] == 2
    assert outside("\n".join(run.body), "%sc", "%n") == outside(text, "%sc", "%n")
