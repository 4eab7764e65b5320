# SPDX-License-Identifier: Apache-2.0
"""On GPUs a barrier separates slices from calls: XLA would fuse them, and resolve the call's buffers wrongly."""

from __future__ import annotations

import pathlib

import pytest
from hlo_fixture import all_reduce, entry, run_pass
from jax_oneshot.commands import demo
from jax_oneshot.demo import gpu_compile


def weighted(weight: str) -> str:
    """All-reduce, then a product with a weight of [1,64] that `weight` computes from %stack and %i."""
    return entry(f"""
        %x = bf16[8,64]{{1,0}} parameter(0)
        %stack = bf16[4,64]{{1,0}} parameter(1)
        %i = s32[] parameter(2)
        %nil = s32[] constant(0)
        %ar = {all_reduce("%x")}
        {weight}
        %flat = bf16[64]{{0}} reshape(%w)
        %wide = bf16[8,64]{{1,0}} broadcast(%flat), dimensions={{1}}
        ROOT %y = bf16[8,64]{{1,0}} multiply(%ar, %wide)""")


def stored(store: str) -> str:
    """All-reduce whose result `store` writes into %all."""
    return entry(f"""
        %x = bf16[8,64]{{1,0}} parameter(0)
        %all = bf16[4,8,64]{{2,1,0}} parameter(1)
        %i = s32[] parameter(2)
        %nil = s32[] constant(0)
        %ar = {all_reduce("%x")}
        {store}""")


DYNAMIC = "%w = bf16[1,64]{1,0} dynamic-slice(%stack, %i, %nil), dynamic_slice_sizes={1,64}"
STATIC = "%w = bf16[1,64]{1,0} slice(%stack), slice={[2:3], [0:64]}"
UPDATE = """%one = bf16[1,8,64]{2,1,0} reshape(%ar)
        ROOT %y = bf16[4,8,64]{2,1,0} dynamic-update-slice(%all, %one, %i, %nil, %nil)"""


def barriers(text: str, **options: str) -> list[str]:
    return [line for line in run_pass(text, **options).body if "opt-barrier(" in line]  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [DYNAMIC, STATIC], ids=["dynamic", "static"])
def test_a_slice_and_the_call_that_reads_it_have_a_barrier_between_them(weight: str) -> None:
    (barrier,) = barriers(weighted(weight))
    name = barrier.split(" = ")[0]
    (call,) = [line for line in run_pass(weighted(weight)).body if "custom-call(" in line]
    assert f"custom-call(%x, {name})" in call


def test_what_is_no_slice_has_none() -> None:
    assert (
        barriers(
            weighted("%w = bf16[1,64]{1,0} reshape(%stack_row)").replace(
                "%stack = bf16[4,64]{1,0} parameter(1)", "%stack_row = bf16[64]{0} parameter(1)"
            )
        )
        == []
    )


def test_a_result_and_the_update_that_stores_it_have_a_barrier_between_them() -> None:
    run = run_pass(stored(UPDATE))
    (barrier,) = [line for line in run.body if "opt-barrier(" in line]
    assert barrier.split(" = ")[0].endswith("%ar")  # the name that its users read
    assert any("reshape(%ar)" in line for line in run.body)


def test_a_result_that_is_only_read_has_none() -> None:
    assert barriers(stored("ROOT %y = bf16[1,8,64]{2,1,0} reshape(%ar)")) == []


def test_modules_for_cpu_have_none() -> None:
    assert barriers(weighted(DYNAMIC), platform="cpu") == []


@pytest.mark.parametrize("variant", ["llama-scan", "gpt2-scan"])
def test_xla_makes_no_fusion_of_a_slice_and_a_call(
    variant: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text")
    gpu_compile.compile_model(gpu_compile.real_widths(demo.model_config(variant, layers=2)))
    (final,) = tmp_path.glob("*gpu_after_optimizations.txt")
    calls = [line for line in final.read_text().splitlines() if 'custom_call_target="jax_oneshot' in line]
    assert calls
    assert "ROOT" not in "".join(line.split(" = ")[0] for line in calls)  # the root of a fusion's own computation
    assert "dynamic-slice-fusion" not in final.read_text()
    assert "opt-barrier" not in final.read_text()
