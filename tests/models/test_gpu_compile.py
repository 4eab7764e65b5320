# SPDX-License-Identifier: Apache-2.0
"""The demo's models through XLA's GPU compiler, without a GPU."""

from __future__ import annotations

import pathlib
import sys

import pytest
from jax_oneshot.commands import demo
from jax_oneshot.demo import compare, gpu_compile


@pytest.mark.parametrize("variant", ["llama", "gemma2-scan", "gpt2"])
def test_every_all_reduce_of_a_real_width_model_becomes_a_call(variant: str) -> None:
    config = gpu_compile.real_widths(demo.model_config(variant, layers=4))
    done = gpu_compile.compile_model(config)
    (report,) = done.reports
    assert report["platform"] == "cuda"
    verdicts, absorbed = compare.count_verdicts(done.reports)
    assert verdicts == {"fused": verdicts["fused"], "plain": verdicts["plain"], "kept": 0}
    assert verdicts["fused"] >= (2 if config.scan else 2 * config.layers)
    assert absorbed > 0
    assert {entry["shape"].rpartition(",")[2] for entry in report["all_reduces"]} == {"3584]"}


def test_a_missing_plugin_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_compile, "_has_module", lambda name: False)
    with pytest.raises(gpu_compile.GpuCompileError, match=r"pip install --no-deps jax-cuda13-plugin==\d"):
        gpu_compile.compile_in_process([sys.executable, "-c", "raise SystemExit('not reached')"])


def test_a_failing_compile_is_shown_with_what_it_printed() -> None:
    with pytest.raises(gpu_compile.GpuCompileError, match=r"(?s)status 1:.*no such model"):
        gpu_compile.compile_in_process([sys.executable, "-c", "raise SystemExit('no such model')"])


def test_a_process_compiles_with_the_pass_on_and_its_reports_come_back() -> None:
    script = (
        "import json, os, pathlib\n"
        "assert os.environ['JAX_ONESHOT'] == '1'\n"
        "folder = pathlib.Path(os.environ['JAX_ONESHOT_DUMP_TO'])\n"
        "folder.mkdir()\n"
        "(folder / '0000.m.cuda.report.json').write_text(json.dumps({'module': 'm'}))\n"
        "print(json.dumps({'seconds': 0.5}))\n"
    )
    done = gpu_compile.compile_in_process([sys.executable, "-c", script])
    assert done == gpu_compile.GpuCompilation([{"module": "m"}], 0.5)


def test_the_target_description_is_part_of_the_package() -> None:
    file = pathlib.Path(gpu_compile.__file__).parents[1] / "data" / "h100_sxm.txtpb"
    assert 'platform_name: "CUDA"' in file.read_text()
    assert "NVIDIA H100" in file.read_text()
