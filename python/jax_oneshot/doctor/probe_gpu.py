# SPDX-License-Identifier: Apache-2.0
"""Prints as JSON: NVIDIA's driver, NVRTC and NCCL (versions, files), the GPUs, and pairs without peer access.

Queries the libraries through ctypes, at the places where JAX's CUDA plug-in would find them: NVIDIA's Python packages
first, then the loader's search path.
"""

from __future__ import annotations

import ctypes
import glob
import json
import os
import sys
from typing import Any

_SUCCESS = 0
_MAJOR, _MINOR = 75, 76  # CUdevice_attribute: the compute capability
_LIBRARIES = {
    "driver": ("libcuda.so.1",),
    "nvrtc": ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"),
    "nccl": ("libnccl.so.2", "libnccl.so"),
}


def main() -> None:
    """Prints the facts; a query that fails leaves the others intact."""
    facts: dict[str, Any] = {}
    loaded = {}
    for name, files in _LIBRARIES.items():
        library, facts[name] = _load(files)
        if library is not None:
            loaded[name] = library
    for name, question in (("driver", _driver), ("nvrtc", _nvrtc), ("nccl", _nccl)):
        if name in loaded:
            try:
                facts[name] |= question(loaded[name])
            except Exception as error:
                facts[name]["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(facts))


def _load(files: tuple[str, ...]) -> tuple[ctypes.CDLL | None, dict[str, Any]]:
    packaged = [
        path
        for folder in sys.path
        for file in files
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), "nvidia", "*", "lib", file)))
    ]
    error = ""
    for path in [*packaged, *files]:
        try:
            library = ctypes.CDLL(path)
        except OSError as failed:
            error = error or str(failed)
            continue
        return library, {"file": _mapped(os.path.basename(path)) or path}
    return None, {"missing": error or f"no {files[0]}"}


def _mapped(name: str) -> str:
    """Path of the file that the loader chose; empty if none."""
    with open("/proc/self/maps") as maps:
        found = (line.split()[-1] for line in maps if name.partition(".so")[0] in line)
        return next(found, "")


def _driver(cuda: ctypes.CDLL) -> dict[str, Any]:
    status = cuda.cuInit(0)
    if status != _SUCCESS:
        return {"error": f"cuInit failed with {status}", "gpus": []}
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGetCount(ctypes.byref(count))
    devices = range(count.value)
    return {
        "version": f"CUDA {version.value // 1000}.{version.value % 1000 // 10}",
        "gpus": [_gpu(cuda, device) for device in devices],
        "unreachable": [[a, b] for a in devices for b in devices if a != b and not _reaches(cuda, a, b)],
    }


def _gpu(cuda: ctypes.CDLL, device: int) -> str:
    name, major, minor = ctypes.create_string_buffer(100), ctypes.c_int(0), ctypes.c_int(0)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    return f"{name.value.decode(errors='replace')} (sm_{major.value}{minor.value})"


def _reaches(cuda: ctypes.CDLL, device: int, peer: int) -> bool:
    answer = ctypes.c_int(0)
    return cuda.cuDeviceCanAccessPeer(ctypes.byref(answer), device, peer) == _SUCCESS and answer.value == 1


def _nvrtc(nvrtc: ctypes.CDLL) -> dict[str, Any]:
    major, minor = ctypes.c_int(0), ctypes.c_int(0)
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return {"version": f"{major.value}.{minor.value}"}


def _nccl(nccl: ctypes.CDLL) -> dict[str, Any]:
    version = ctypes.c_int(0)
    nccl.ncclGetVersion(ctypes.byref(version))
    return {"version": f"{version.value // 10000}.{version.value // 100 % 100}.{version.value % 100}"}


if __name__ == "__main__":
    main()
