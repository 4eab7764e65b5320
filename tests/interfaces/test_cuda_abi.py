# SPDX-License-Identifier: Apache-2.0
"""The declarations of CUDA's driver and of NVRTC that the kernels are built with, against NVIDIA's pinned headers."""

from __future__ import annotations

import pathlib
import subprocess
import sysconfig

import pytest
from jax_process import REPOSITORY

SOURCE = pathlib.Path(__file__).with_name("cuda_abi_test.cc")


@pytest.fixture(scope="module")
def headers() -> pathlib.Path:
    """The folder of cuda.h and nvrtc.h, in NVIDIA's packages."""
    found = sorted(pathlib.Path(sysconfig.get_path("purelib")).glob("nvidia/*/include/cuda.h"))
    if not found:
        pytest.skip("cuda.h is not installed: `tools/setup demo` installs nvidia-cuda-runtime, which holds it")
    return found[-1].parent


def compiler_says(source: str, headers: pathlib.Path) -> str:
    command = ["g++", "-std=c++17", "-fsyntax-only", f"-I{REPOSITORY}", f"-isystem{headers}", "-x", "c++", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False, cwd=REPOSITORY).stderr


def test_types_numbers_and_functions_are_those_of_nvidia_s_headers(headers: pathlib.Path) -> None:
    assert compiler_says(SOURCE.read_text(), headers) == ""


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("SAME_NUMBER(kErrorNotReady,", "SAME_NUMBER(kErrorNotReady + 1,"),
        (
            "LaunchConfig, shared_bytes, CUlaunchConfig, sharedMemBytes",
            "LaunchConfig, shared_bytes, CUlaunchConfig, numAttrs",
        ),
        ("SAME_TYPE(LaunchAttribute,", "SAME_TYPE(LaunchConfig,"),
        (
            "ONESHOT_CUDA_FUNCTIONS(SAME_FUNCTION)",
            "static_assert(kCalledAlike<decltype(CudaDriver::cuInit), decltype(&::cuCtxSynchronize)>);",
        ),
    ],
)
def test_a_difference_does_not_compile(headers: pathlib.Path, ours: str, other: str) -> None:
    source = SOURCE.read_text()
    assert ours in source
    assert "static assertion failed" in compiler_says(source.replace(ours, other), headers)
