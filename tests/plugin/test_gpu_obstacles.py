# SPDX-License-Identifier: Apache-2.0
"""Obstacles on this machine's GPUs that are found before a rewrite, and when nothing is checked."""

from __future__ import annotations

import pathlib
import types
from typing import Any

import pytest
from jax_oneshot import gpu_obstacles, jax_internals, native
from jax_oneshot.gpu_obstacles import GpuObstacles

CALL = {
    "row_program": "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)",
    "rows": 8,
    "width": 4096,
    "group_size": 2,
    "algorithm": "one_shot",
}


class Machine:
    """A machine without obstacles, except those that a test asks for."""

    def __init__(self, *, gpus: int = 2, hosts: int = 1, nccl: bool = True, native_says: str = "") -> None:
        self.checked: list[Any] = []
        self._native_says = native_says
        self.obstacles = GpuObstacles(lambda: gpus, lambda: hosts, self._check, lambda: nccl)

    def _check(self, calls: list[tuple[str, int, int, int, str]]) -> str:
        self.checked.append(calls)
        return self._native_says


def test_nothing_stands_against_a_machine_on_which_all_is_well() -> None:
    machine = Machine()
    assert machine.obstacles([CALL]) == ""
    assert machine.checked == [[(CALL["row_program"], 8, 4096, 2, "one_shot")]]


def test_nothing_is_asked_where_no_gpu_is_here_to_run_the_module() -> None:
    machine = Machine(gpus=0, hosts=2, nccl=False, native_says="no")
    assert machine.obstacles([CALL]) == ""
    assert machine.checked == []


def test_gpus_of_several_hosts_are_named() -> None:
    assert "belong to 3 hosts; the kernels reach GPUs of one host only" in Machine(hosts=3).obstacles([CALL])


def test_hosts_are_counted_by_what_xla_calls_their_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(*devices: Any) -> Any:
        return types.SimpleNamespace(devices=lambda: devices)

    def device(**index: int) -> Any:
        return types.SimpleNamespace(**index)

    backends: dict[str, Any] = {}
    monkeypatch.setattr("jax._src.xla_bridge._backends", backends)
    assert jax_internals.gpu_host_count() == 1  # no backend has started yet
    backends["cuda"] = backend(device(slice_index=0), device(slice_index=0))
    assert jax_internals.gpu_host_count() == 1
    backends["cuda"] = backend(device(slice_index=0), device(slice_index=1))
    assert jax_internals.gpu_host_count() == 2
    backends["cuda"] = backend(*(device(slice_index=0, partition_index=i) for i in range(3)))
    assert jax_internals.gpu_host_count() == 3


def test_a_flag_that_lets_calls_overtake_each_other_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/tmp --xla_gpu_command_buffer_scheduling_mode=CONCURRENT")
    assert "XLA_FLAGS has --xla_gpu_command_buffer_scheduling_mode=CONCURRENT" in Machine().obstacles([CALL])
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_command_buffer_scheduling_mode=LHS")
    assert Machine().obstacles([CALL]) == ""


def test_a_missing_nccl_is_named_with_the_package_that_has_it() -> None:
    reason = Machine(nccl=False).obstacles([CALL])
    assert "no libnccl.so.2 was found" in reason
    assert "install nvidia-nccl-cu13" in reason


def test_what_the_native_check_finds_is_passed_on() -> None:
    assert Machine(native_says="the kernel cannot be made: why").obstacles([CALL]) == "the kernel cannot be made: why"


def test_nccl_is_found_in_a_wheel_and_on_the_library_path(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    assert not gpu_obstacles.find_nccl()
    wheel = tmp_path / "site" / "nvidia" / "nccl" / "lib" / "libnccl.so.2"
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    assert gpu_obstacles.find_nccl()
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{wheel.parent}")
    assert gpu_obstacles.find_nccl()
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: f"lib{name}.so.2")
    assert gpu_obstacles.find_nccl()


def test_the_native_check_has_nothing_to_say_without_a_gpu() -> None:
    assert native.load().cuda_obstacle([(CALL["row_program"], 8, 4096, 2, "one_shot")]) == ""
