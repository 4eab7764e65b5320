# SPDX-License-Identifier: Apache-2.0
"""Golden tests: calls that read or update the buffers of donated arguments."""

from __future__ import annotations

from typing import Literal

import pytest
from hlo_fixture import all_reduce, entry, run_pass


def test_a_result_that_updates_a_donated_parameter_lies_where_it_lay() -> None:
    text = entry(f"""
        %p = f32[8,64]{{1,0}} parameter(0)
        %m = f32[8,64]{{1,0}} parameter(1)
        %ar = {all_reduce("%p", "f32[8,64]{1,0}")}
        ROOT %new = f32[8,64]{{1,0}} add(%m, %ar)""")
    donated = text.replace("HloModule test", "HloModule test, input_output_alias={ {}: (1, {}, may-alias) }")
    assert "output_to_operand_aliasing={{}: (1, {})}" in str(run_pass(donated).after)
    assert "output_to_operand_aliasing" not in str(run_pass(text).after)
    assert "output_to_operand_aliasing" not in str(run_pass(donated, platform="cpu").after)
    other = text.replace("HloModule test", "HloModule test, input_output_alias={ {}: (0, {}, may-alias) }")
    assert "output_to_operand_aliasing" not in str(run_pass(other).after), "messages are pushed from it"


COPIED = entry(f"""
    %x = f32[8,64]{{1,0}} parameter(0)
    %p = f32[8,64]{{1,0}} parameter(1)
    %c = f32[8,64]{{1,0}} copy(%x)
    %y = f32[8,64]{{1,0}} negate(%c)
    %ar = {all_reduce("%p", "f32[8,64]{1,0}")}
    %z = f32[8,64]{{1,0}} add(%ar, %c)
    ROOT %t = (f32[8,64]{{1,0}}, f32[8,64]{{1,0}}) tuple(%y, %z)""")
DONATED = COPIED.replace("HloModule test", "HloModule test, input_output_alias={ {0}: (0, {}, may-alias) }")


@pytest.mark.parametrize(
    ("text", "platform", "operands"),
    [(COPIED, "cpu", "%p, %x"), (DONATED, "cuda", "%p, %x"), (DONATED, "cpu", "%p, %c")],
)
def test_on_the_cpu_a_call_reads_the_copy_of_a_donated_argument(
    text: str, platform: Literal["cpu", "cuda"], operands: str
) -> None:
    """XLA:CPU inserts copies before the pass: %y is written over %x, maybe before the call runs."""
    (call,) = [line for line in run_pass(text, platform=platform).body if "custom-call(" in line]
    assert f"custom-call({operands}" in call
