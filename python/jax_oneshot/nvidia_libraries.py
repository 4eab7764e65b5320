# SPDX-License-Identifier: Apache-2.0
"""Finds the libraries in NVIDIA's Python packages and tells the native module where they are.

The native module looks for NVRTC relative to itself, since pip installs both side by side. In a source tree, or with a
PYTHONPATH, NVRTC is elsewhere, and only Python knows where its packages are.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import MutableMapping

VARIABLE = "ONESHOT_CUDA_LIBRARIES"  # ffi_kernels/cuda/driver/library.h


def folders() -> list[str]:
    """`nvidia/*/lib` under every folder of sys.path, in that order; newer CUDA before older."""
    patterns = (os.path.join(glob.escape(folder), "nvidia", "*", "lib") for folder in sys.path)
    return [found for pattern in patterns for found in sorted(glob.glob(pattern), reverse=True)]


def tell_native(environ: MutableMapping[str, str]) -> None:
    """Puts the folders into the variable that the native module reads, unless the user has set it."""
    environ.setdefault(VARIABLE, os.pathsep.join(folders()))
