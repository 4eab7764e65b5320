# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot report --profile`: measured times beside the verdicts."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import report_folder
from jax_oneshot import cli, device_trace
from jax_oneshot.report import measured, terminal
from rich.console import Console

FUSED, OTHER = "oneshot_all_reduce_add_fusion_bf16_8x64_tp8", "oneshot_all_reduce_bf16_8x64_tp8"
NCCL = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL"


def document() -> dict[str, Any]:
    entry = {"kernel": FUSED, "measured": None, "verdict": "fused"}
    kept = {"kernel": "", "measured": None, "verdict": "kept"}
    return {"modules": [{"all_reduces": [entry, kept]}]}


def kernels(*named: tuple[str, float]) -> device_trace.Trace:
    return device_trace.Trace([device_trace.Event(name, 0.0, ns) for name, ns in named], [])


def test_a_call_gets_the_mean_time_of_its_kernel_and_collectives_stand_together() -> None:
    found = document()
    measured.add_to(found, kernels((FUSED, 3000), (FUSED, 5000), (OTHER, 9), (f"{NCCL}(args<4096ul>)", 14000)))
    fused, kept = found["modules"][0]["all_reduces"]
    assert fused["measured"] == {"us": 4.0, "count": 2}
    assert kept["measured"] is None
    assert found["profile"]["collectives"] == [{"kernel": NCCL, "us": 14.0, "count": 1}]


def test_a_call_whose_kernel_did_not_run_has_no_time() -> None:
    found = document()
    measured.add_to(found, kernels((OTHER, 9)))
    assert [one["measured"] for one in found["modules"][0]["all_reduces"]] == [None, None]
    assert found["profile"]["collectives"] == []


def test_the_terminal_shows_times_only_where_there_are_some(tmp_path: pathlib.Path) -> None:
    report_folder.write(tmp_path)
    module = report_folder.read(tmp_path).summary
    for expected in (False, True):
        console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        console.print(terminal._all_reduces(module))
        text = console.export_text()
        assert ("3.6" in text) == expected, text
        module["all_reduces"][0]["measured"] = {"us": 3.61, "count": 7}


def test_a_folder_without_a_profile_is_refused(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_folder.write(tmp_path / "dumps")
    assert cli.main(["report", str(tmp_path / "dumps"), "--profile", str(tmp_path)]) == 1
    assert f"no *.xplane.pb under {tmp_path}" in capsys.readouterr().err
