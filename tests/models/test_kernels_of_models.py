# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels of whole models, compiled by NVRTC for three generations of GPUs, without a GPU."""

from __future__ import annotations

import pathlib
import re
import sys
from typing import Any

import pytest
from jax_oneshot import _native, nvidia_libraries
from jax_oneshot.commands import demo
from jax_oneshot.demo import gpu_compile

GEMMA = str(pathlib.Path(__file__).with_name("gemma_model.py"))
GPUS = {80: 108, 90: 132, 100: 148}  # compute capability: multiprocessors of its largest chip
NO_SPILLS = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"


@pytest.fixture(autouse=True)
def nvrtc_of_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tells the native module where NVRTC is, for one test: subprocesses of other tests must not inherit it."""
    told: dict[str, str] = {}
    nvidia_libraries.tell_native(told)
    for name, folders in told.items():
        monkeypatch.setenv(name, folders)


def reports_of_demo(variant: str, shard_norms: bool) -> list[dict[str, Any]]:
    config = gpu_compile.real_widths(demo.model_config(variant, layers=2, shard_norms=shard_norms))
    return gpu_compile.compile_model(config).reports


def reports_of_gemma(model: str, *options: str) -> list[dict[str, Any]]:
    return gpu_compile.compile_in_process([sys.executable, GEMMA, "gpu", model, *options]).reports


def calls_of(reports: list[dict[str, Any]]) -> set[tuple[str, int, int, int]]:
    """(row program, rows, width, ranks) of every call that sums; `shape` is the first sum's, bf16[8,3584]."""
    calls = set()
    for entry in (entry for report in reports for entry in report["all_reduces"]):
        if entry["outputs"] == 0 or ": sum " not in entry["row_program"]:
            continue
        *outer, width = map(int, re.findall(r"\d+", entry["shape"].partition("[")[2]))
        rows = 1
        for dimension in outer:
            rows *= dimension
        calls.add((entry["row_program"], rows, width, entry["group_size"]))
    return calls


@pytest.mark.parametrize("shard_norms", [False, True], ids=["whole norms", "sharded norms"])
@pytest.mark.parametrize("variant", ["llama", "gemma2", "gpt2"])
def test_the_demo_s_kernels_keep_to_registers_on_every_generation(variant: str, shard_norms: bool) -> None:
    check(calls_of(reports_of_demo(variant, shard_norms)))


@pytest.mark.parametrize("options", [(), ("shard-norms",)], ids=["whole norms", "sharded norms"])
def test_gemma_s_kernels_keep_to_registers_on_every_generation(options: tuple[str, ...]) -> None:
    check(calls_of(reports_of_gemma("gemma2", *options)))


@pytest.mark.parametrize("values", [2, 4, 8])
def test_several_values_of_one_all_reduce_keep_to_registers(values: int) -> None:
    numbers = range(values)
    inputs = ", ".join(f"a{i}: sum bf16 row" for i in numbers)
    sums = "; ".join(f"x{i}: bf16 row = all_reduce a{i}" for i in numbers)
    outputs = ", ".join(f"x{i}: row" for i in numbers)
    check({(f"v1 ({inputs}) {{ {sums} }} -> ({outputs})", 8, 4096, 8)})


def test_the_new_residual_of_a_scanned_layer_keeps_to_registers() -> None:
    program = (
        "v1 (a0: sum bf16 row, a1: gather bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = all_gather a1; "
        "x2: bf16 row = add x0, x1 } -> (x2: row shard)"
    )
    check({(program, 8, 4096, 8)})


def check(calls: set[tuple[str, int, int, int]]) -> None:
    assert calls
    for program, rows, width, ranks in sorted(calls):
        for capability, multiprocessors in GPUS.items():
            log = _native.compile_cuda_kernel(program, rows, width, ranks, capability, multiprocessors)
            assert NO_SPILLS in log, f"sm_{capability}, {rows} x {width}, {ranks} ranks: {program}\n{log}"


def test_a_bad_program_is_refused_with_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="expected the version 'v1'"):
        _native.compile_cuda_kernel("v2", 8, 4096, 8, 90, 132)


def test_a_group_that_no_kernel_takes_is_refused() -> None:
    plain = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)"
    with pytest.raises(ValueError, match="the group has 17 ranks, expected 2 to 16"):
        _native.compile_cuda_kernel(plain, 8, 4096, 17, 90, 132)
