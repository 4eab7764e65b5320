# SPDX-License-Identifier: Apache-2.0
"""How many NVIDIA GPUs the driver offers to this process, and their architecture.

Modules that will run here are checked before they are rewritten; those compiled for GPUs elsewhere are not. Only the
driver can tell: /proc/driver/nvidia is missing in some containers and under WSL, and ignores CUDA_VISIBLE_DEVICES.
Where a GPU is present the query costs nothing extra, since JAX has initialised the driver by the time it compiles for
one; and it starts no JAX backend.
"""

import ctypes
import functools

_LIBRARY = "libcuda.so.1"
_CUDA_SUCCESS = 0
_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76  # CUdevice_attribute


@functools.cache
def gpu_count() -> int:
    """Number of usable GPUs; 0 without a driver, or if the driver does not initialise."""
    driver = _driver()
    count = ctypes.c_int(0)
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != _CUDA_SUCCESS:
        return 0
    return count.value


@functools.cache
def architecture() -> int | None:
    """Compute capability of the first GPU, 90 for sm_90; None without one."""
    driver = _driver()
    if driver is None or gpu_count() == 0:
        return None
    numbers = []
    for attribute in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR):
        value = ctypes.c_int(0)
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, 0) != _CUDA_SUCCESS:
            return None
        numbers.append(value.value)
    return 10 * numbers[0] + numbers[1]


@functools.cache
def _driver() -> ctypes.CDLL | None:
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    return driver if driver.cuInit(0) == _CUDA_SUCCESS else None
