# SPDX-License-Identifier: Apache-2.0
"""Scanned models through XLA's GPU compiler: exchanges and norm kernels left in the loop's body."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest
from jax_oneshot.commands import demo
from jax_oneshot.demo import gpu_compile

# Opcodes that launch no kernel, in the optimized text.
NO_KERNEL = {"parameter", "get-tuple-element", "tuple", "bitcast", "constant", "partition-id", "replica-id"}


def body_of_layers(text: str) -> list[str]:
    """The instructions of the loop's body that launch a kernel."""
    (name,) = set(re.findall(r"while\(.*?body=%([\w.-]+)", text))
    body = re.split(rf"^%{re.escape(name)} ", text, flags=re.MULTILINE)[1].partition("\n}")[0]
    lines = [line.strip().removeprefix("ROOT ") for line in body.splitlines()[1:]]
    return [line for line in lines if (op := re.search(r"[\])}] ([\w-]+)\(", line)) and op[1] not in NO_KERNEL]


@pytest.mark.parametrize("shard_norms", [False, True], ids=["whole", "split"])
@pytest.mark.parametrize("variant", ["llama-scan", "gemma2-scan", "gpt2-scan"])
def test_a_scanned_layer_has_two_exchanges_and_no_norm_of_its_own(
    variant: str, shard_norms: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text")
    config = gpu_compile.real_widths(demo.model_config(variant, layers=4))
    (report,) = gpu_compile.compile_model(dataclasses.replace(config, shard_norms=shard_norms)).reports
    (loop,) = report["loops"]
    assert loop["collectives_after"] == 2
    (rotation,) = report["rotations"]
    assert (rotation["rotated"], rotation["carried"]) == (True, ["bf16[8,3584]"])
    (final,) = tmp_path.glob("*gpu_after_optimizations.txt")
    kernels = body_of_layers(final.read_text())
    calls = [line for line in kernels if 'custom_call_target="jax_oneshot' in line]
    assert len(calls) == 2
    assert not any(re.search(r"\b(all-reduce|all-gather|reduce-scatter)", line) for line in kernels)
    others = [line for line in kernels if line not in calls]
    assert not any("rsqrt" in line for line in others), "XLA names a fusion by what is in it"
