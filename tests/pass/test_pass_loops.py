# SPDX-License-Identifier: Apache-2.0
"""Golden tests: loops that are rotated, and near misses of each condition."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hlo_fixture import PassRun, all_reduce, run_pass
from loops_hlo import NORM, ROW, STACK, Scan

SCAN = Scan()


def rotation(run: PassRun) -> dict[str, object]:
    (only,) = run.report["rotations"]
    return dict(only)


def computation(run: PassRun, name: str) -> list[str]:
    """Instructions of a computation after the pass, without attributes that the tests ignore."""
    assert run.after is not None
    text = re.split(rf"^(?:ENTRY )?%{name} ", run.after, flags=re.MULTILINE)[1].partition("\n}")[0]
    clutter = re.compile(r", (metadata|backend_config|operand_layout_constraints)=\{.*\}(?=,|$)")
    return [clutter.sub("", line.strip()) for line in text.splitlines()[1:]]


def with_name(lines: list[str], name: str) -> str:
    (found,) = [line for line in lines if line.removeprefix("ROOT ").startswith(f"%{name} = ")]
    return found


def test_the_norm_of_the_next_round_goes_into_the_call_of_the_last_all_reduce() -> None:
    run = run_pass(SCAN.text())
    found = rotation(run)
    # "moved" is in the order of the module, which depends on the parser.
    assert found | {"moved": sorted(map(str, found["moved"]))} == {  # type: ignore[call-overload]
        "loop": "loop",
        "computation": "body",
        "rotated": True,
        "reason": "",
        "reason_id": "",
        "all_reduce": "ar",
        "moved": ["at", "gamma", "n", "row", "scale", "scaled", "scales", "shifted", "squares", "sums", "wide_gamma"],
        "carried": ["f32[8,64]"],
        "rewrite": 1,
    }
    assert (run.only["name"], run.only["verdict"], run.only["outputs"]) == ("ar", "fused", 2)
    body = computation(run, "body")
    assert with_name(body, "n").endswith("get-tuple-element(%state), index=4")
    assert not any(" reduce(" in line or " rsqrt(" in line for line in body), "the norm is in the call"
    # The slice reads the next iteration's index, and the residual is unchanged.
    assert " add(%i1, %origin_at)" in with_name(body, "at")
    assert " dynamic-slice(%gammas, %at, %origin)" in with_name(body, "row")
    root = body[-1]
    assert root.startswith("ROOT %next = (s32[], f32[8,64]{1,0}, f32[3,64]{1,0}, f32[64,64]{1,0}, f32[8,64]{1,0})")
    assert "tuple(%i1, %y, %gammas, %w, " in root


def test_the_first_norm_is_computed_in_front_of_the_loop_from_what_it_starts_from() -> None:
    run = run_pass(SCAN.text())
    main = computation(run, "main")
    (slice_,) = [line for line in main if " dynamic-slice(" in line]
    assert "dynamic-slice(%g0, %jax_oneshot_first" in slice_
    (squares,) = [line for line in main if " multiply(%x0, %x0)" in line]
    assert squares.startswith("%jax_oneshot_first.")
    loop = with_name(main, "loop")
    assert "f32[8,64]{1,0}) while(%jax_oneshot_first." in loop
    assert not any("tuple(%start, %x0, %g0, %w0)" in line for line in main), "the old state is gone"
    condition = computation(run, "condition")
    assert condition[0].startswith(
        "%state.1 = (s32[], f32[8,64]{1,0}, f32[3,64]{1,0}, f32[64,64]{1,0}, f32[8,64]{1,0})"
    )


def test_an_all_reduce_in_front_of_the_loop_takes_the_first_norm_in() -> None:
    run = run_pass(
        dataclasses.replace(
            SCAN, before=f"%embedded = {all_reduce('%x0', ROW)}", first=("%start", "%embedded", "%g0", "%w0")
        ).text()
    )
    assert [one["verdict"] for one in run.verdicts] == ["fused", "fused"]
    assert not any(" rsqrt(" in line for line in computation(run, "main"))
    assert (run.report["collectives_before"], run.report["collectives_after"]) == (2, 2)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
@pytest.mark.parametrize(
    "index",
    [
        "%at = s32[] subtract(%i1, %one)",
        "%at = s32[] multiply(%i, %i)",
        "%two = s32[] constant(2)\n%at = s32[] subtract(%two, %i)",
        "%at = s32[] maximum(%origin_at, %one)",
    ],
)
def test_any_index_computed_from_the_state_moves_along(index: str, platform: str) -> None:
    run = run_pass(dataclasses.replace(SCAN, index=index).text(), platform="cuda" if platform == "cuda" else "cpu")
    assert rotation(run)["rotated"] is True


def test_a_residual_stream_that_the_body_hands_on_in_another_place_is_followed() -> None:
    """The next iteration reads element 4 where this one read element 1."""
    swapped = dataclasses.replace(
        SCAN,
        more=f"%old = {ROW} get-tuple-element(%state), index=4",
        state=(*SCAN.state, ROW),
        first=(*SCAN.first, "%x0"),
        next=("%i1", "%old", "%gammas", "%w", "%y"),
    )
    run = run_pass(swapped.text())
    assert run.report["rotations"] == [], "what the next round norms comes from no all-reduce of this one"
    run = run_pass(dataclasses.replace(swapped, next=("%i1", "%y", "%gammas", "%w", "%old")).text())
    assert rotation(run)["rotated"] is True


def test_of_a_part_that_is_not_pure_what_comes_before_it_moves() -> None:
    impure = f'%n = {ROW} custom-call(%pure), custom_call_target="elsewhere"'
    norm = NORM.replace(f"%n = {ROW} multiply(", f"%pure = {ROW} multiply(") + "\n" + impure
    run = run_pass(dataclasses.replace(SCAN, norm=norm).text())
    assert rotation(run)["rotated"] is True
    body = computation(run, "body")
    assert "custom-call(%pure)" in with_name(body, "n")
    assert "get-tuple-element(%state), index=4" in with_name(body, "pure")


# The normed rows are also read by an instruction that does not move.
COLLECTED = dataclasses.replace(
    SCAN,
    more=f'%seen = {ROW} custom-call(%n), custom_call_target="elsewhere"',
    state=(*SCAN.state, ROW),
    first=(*SCAN.first, "%x0"),
    next=(*SCAN.next, "%seen"),
)


def test_others_that_read_the_value_read_it_from_the_state() -> None:
    run = run_pass(COLLECTED.text())
    assert rotation(run)["carried"] == ["f32[8,64]"]
    body = computation(run, "body")
    assert " custom-call(%n)" in with_name(body, "seen")
    assert "get-tuple-element(%state), index=5" in with_name(body, "n")


def test_a_loop_with_a_late_reader_is_not_rotated_where_copies_were_inserted() -> None:
    """%seen may run after the call that writes the next norm; on CPU no copies are inserted after the pass."""
    run = run_pass(COLLECTED.text(), platform="cpu")
    assert (rotation(run)["rotated"], rotation(run)["reason_id"]) == (False, "read_too_late")
    assert rotation(run)["reason"] == "%n may be read after the next iteration's value has been written"
    assert rotation(run_pass(SCAN.text(), platform="cpu"))["rotated"] is True


def test_what_is_computed_from_the_value_row_by_row_moves_too() -> None:
    doubled = dataclasses.replace(
        SCAN,
        more=f"%twice = {ROW} add(%n, %n)",
        state=(*SCAN.state, ROW),
        first=(*SCAN.first, "%x0"),
        next=(*SCAN.next, "%twice"),
    )
    assert rotation(run_pass(doubled.text()))["carried"] == ["f32[8,64]", "f32[8,64]"]
    # The body returns one element as another: on CPU it would need a copy.
    assert rotation(run_pass(doubled.text(), platform="cpu"))["reason_id"] == "read_too_late"


def test_another_loop_that_reads_the_stack_reads_it_as_before() -> None:
    other = dataclasses.replace(
        SCAN,
        behind=f"""%x2 = {ROW} get-tuple-element(%loop), index=1
  %g2 = {STACK} get-tuple-element(%loop), index=2
  %both = {ROW} add(%x2, %x2)
  ROOT %results = ({ROW}, {STACK}) tuple(%both, %g2)""",
    )
    run = run_pass(other.text())
    assert rotation(run)["rotated"] is True
    assert "get-tuple-element(%loop), index=2" in with_name(computation(run, "main"), "g2")


def test_a_loop_whose_state_leaves_it_whole_is_not_rotated() -> None:
    whole = dataclasses.replace(SCAN, behind="").text().replace("  %loop = ", "  ROOT %loop = ")
    run = run_pass(whole)
    assert rotation(run)["reason"] == "the loop's state is not a tuple of which single elements are read"
    assert rotation(run)["rewrite"] == 0
    assert (run.only["verdict"], run.only["outputs"]) == ("fused", 1)


def test_a_round_that_ends_in_more_than_row_wise_math_is_not_rotated() -> None:
    """The all-reduce is kept, so no call absorbs the norm, and the module is unchanged."""
    run = run_pass(SCAN.text(), max_bytes=8)
    assert rotation(run)["reason"] == "no region in the loop body absorbs the start of the next iteration"
    assert run.after is None
    transposed = dataclasses.replace(
        SCAN,
        more=f"%turned = f32[64,8]{{1,0}} transpose(%ar), dimensions={{1,0}}\n%z = {ROW} reshape(%turned)",
        residual="%x",
    )
    text = transposed.text().replace("add(%x, %ar)", "add(%x, %z)")
    assert rotation(run_pass(text))["rotated"] is False


def test_a_loop_that_begins_with_no_norm_is_not_spoken_of() -> None:
    run = run_pass(dataclasses.replace(SCAN, norm=f"%n = {ROW} tanh(%x)").text())
    assert run.report["rotations"] == []


def test_the_limit_counts_a_rotation_with_its_call() -> None:
    embedded = dataclasses.replace(
        SCAN, before=f"%embedded = {all_reduce('%x0', ROW)}", first=("%start", "%embedded", "%g0", "%w0")
    ).text()
    assert rotation(run_pass(embedded))["rewrite"] == 2
    run = run_pass(embedded, max_rewrites=1)
    assert (rotation(run)["rotated"], rotation(run)["rewrite"]) == (False, 0)
    assert [one["rewrite"] for one in run.verdicts] == [1, 0]
    assert run_pass(embedded, max_rewrites=0).after is None


def test_a_module_that_was_rotated_can_go_through_the_pass_again() -> None:
    run = run_pass(SCAN.text())
    assert run.after is not None
    again = run_pass(run.after)
    assert again.after is None
    assert again.report["rotations"] == []
