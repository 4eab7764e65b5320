"""In: nothing. Out: how many NVIDIA GPUs the driver of this machine offers to this process.

The pass must keep away from CUDA modules that could really run (the kernels do not exist yet), but must work on those
compiled for GPUs that are not here. Only the driver knows for sure: /proc/driver/nvidia is missing in some containers
and under WSL, and it knows nothing of CUDA_VISIBLE_DEVICES. Asking costs nothing extra where a GPU is present, since
JAX has initialised the driver by the time it compiles for one; and it starts no JAX backend.
"""

import ctypes
import functools

_LIBRARY = "libcuda.so.1"
_CUDA_SUCCESS = 0


@functools.cache
def gpu_count() -> int:
    """Number of usable GPUs; 0 without a driver, or when the driver refuses to start."""
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != _CUDA_SUCCESS or driver.cuDeviceGetCount(ctypes.byref(count)) != _CUDA_SUCCESS:
        return 0
    return count.value
