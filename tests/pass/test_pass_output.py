# SPDX-License-Identifier: Apache-2.0
"""The pass's output: names of new instructions, the others byte for byte, and rejection of broken modules."""

from __future__ import annotations

from typing import Any

import pytest
from hlo_fixture import PassRun, all_reduce, entry, lone, run_pass, to_proto, to_text
from jax_oneshot import _native

ROWS = "bf16[8,64]"


def test_on_cpu_the_logical_ids_follow_the_operands() -> None:
    run = run_pass(lone(), platform="cpu")
    assert [line.split(" = ")[1].split("(")[0] for line in run.body[1:3]] == ["u32[] replica-id", "u32[] partition-id"]
    assert run.body[3].startswith(
        "ROOT %ar = bf16[8,64]{1,0} custom-call(%p, %jax_oneshot_replica-id.0, %jax_oneshot_partition-id.1)"
    )


@pytest.mark.parametrize("name", ["partition-id.1", "jax_oneshot_partition-id.1", "jax_oneshot.0", "jax_oneshot.7"])
def test_a_name_that_the_module_has_is_not_given_again(name: str) -> None:
    """GSPMD gives its partition-id that name; a module that went through the pass before has the pass's names."""
    text = entry(f"""
        %{name} = u32[] partition-id()
        %p = bf16[8,64]{{1,0}} parameter(0)
        %ar = {all_reduce("%p")}
        %twice = bf16[8,64]{{1,0}} add(%ar, %ar)
        ROOT %t = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}, u32[]) tuple(%ar, %twice, %{name})""")
    run = run_pass(text, platform="cpu")
    assert run.only["verdict"] == "fused"
    names = [line.removeprefix("ROOT ").split(" = ")[0] for line in run.body]
    assert len(set(names)) == len(names)
    assert f"%{name}" in names


def test_everything_the_pass_does_not_touch_comes_out_byte_for_byte() -> None:
    text = entry(f"""
        %a = bf16[8,64]{{1,0}} parameter(0)
        %w = bf16[64,64]{{1,0}} parameter(1)
        %d = bf16[8,64]{{1,0}} dot(%a, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
        %ar = {all_reduce("%d")}
        ROOT %e = bf16[8,64]{{1,0}} dot(%ar, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}""")
    run = run_pass(text)
    before = to_text(to_proto(text)).splitlines()
    after = (run.after or "").splitlines()
    changed = [line for line in after if line not in before]
    assert len(changed) == 1
    assert "custom-call" in changed[0]


def call_of(run: PassRun, all_reduce: str) -> dict[str, Any]:
    call: dict[str, Any] = next(one["call"] for one in run.verdicts if one["name"] == all_reduce)
    return call


def test_the_report_names_what_a_call_reads_returns_and_replaces() -> None:
    """%gs is no member of the region, which reads %g itself; nothing else reads it."""
    run = run_pass(
        entry(f"""
        %d = bf16[8,64]{{1,0}} parameter(0)
        %x = bf16[8,64]{{1,0}} parameter(1)
        %g = bf16[64]{{0}} parameter(2)
        %gs = bf16[8,64]{{1,0}} broadcast(%g), dimensions={{1}}
        %ar = {all_reduce("%d")}
        %y = bf16[8,64]{{1,0}} add(%x, %ar)
        %scaled = bf16[8,64]{{1,0}} multiply(%y, %gs)
        ROOT %t = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%y, %scaled)""")
    )
    assert call_of(run, "ar") == {
        "name": "jax_oneshot.0",
        "reads": [{"name": name, "shape": shape} for name, shape in [("d", ROWS), ("x", ROWS), ("g", "bf16[64]")]],
        "returns": [{"name": "y", "shape": ROWS, "output": 0}, {"name": "scaled", "shape": ROWS, "output": 1}],
        "all_reduces": ["ar"],
        "replaces": ["ar", "y", "gs", "scaled"],
        "fused_computations": [],
    }


def test_what_others_read_too_is_not_replaced() -> None:
    run = run_pass(
        entry(f"""
        %d = bf16[8,64]{{1,0}} parameter(0)
        %g = bf16[64]{{0}} parameter(1)
        %gs = bf16[8,64]{{1,0}} broadcast(%g), dimensions={{1}}
        %ar = {all_reduce("%d")}
        %scaled = bf16[8,64]{{1,0}} multiply(%ar, %gs)
        ROOT %t = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%scaled, %gs)""")
    )
    assert call_of(run, "ar")["replaces"] == ["ar", "scaled"]


def test_every_strict_prefix_of_a_module_is_refused_or_passed_through() -> None:
    proto = to_proto(lone())
    refused = 0
    for end in range(len(proto)):
        try:
            result = _native.run_pass(proto[:end], platform="cpu", max_bytes=1 << 20, timeout_ms=1, single_process=True)
        except ValueError as caught:
            error = str(caught)
        else:
            error = ""
            assert result.module is None or end > len(proto) // 2
        if error:
            refused += 1
            assert "HloModuleProto" in error
    assert refused > 100  # those long enough to contain the all-reduce
