# SPDX-License-Identifier: Apache-2.0
"""Registers the FFI handlers of one-shot calls: with the pass, or when the process first loads a saved executable.

A saved executable (`jax.experimental.serialize_executable`, the compilation cache) contains the calls that were
compiled into it, whatever JAX_ONESHOT is set to in the process that loads it. Loading the native module takes about
2 ms, which a process that never loads an executable should not pay at start-up.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from jax_oneshot.plugin import CALL_TARGET, CPU_STATE_TYPE, CUDA_STATE_TYPE, GRAPH_END_TARGET

logger = logging.getLogger("jax_oneshot")

_lock = threading.Lock()
_registered = False  # XLA's registry is per process and accepts each name once


def register() -> Any:
    """Registers the handlers for CPU and CUDA, once per process, and returns the native module.

    Raises:
      NativeMissingError: the native module does not load.
      Exception: this version of JAX does not accept the handlers.
    """
    global _registered
    from jax_oneshot import jax_internals, native, nvidia_libraries

    with _lock:
        nvidia_libraries.tell_native(os.environ)
        library = native.load()
        if not _registered:
            jax_internals.register_cpu_handlers(
                CALL_TARGET, library.cpu_handlers(), CPU_STATE_TYPE, library.cpu_state_type()
            )
            cuda_targets = {
                CALL_TARGET: library.cuda_handlers(),
                GRAPH_END_TARGET: library.cuda_handlers(ends_graph=True),
            }
            jax_internals.register_cuda_handlers(cuda_targets, CUDA_STATE_TYPE, library.cuda_state_type())
            _registered = True
        return library


def register_for_saved_executable(serialized: bytes) -> None:
    """Registers the handlers if the pass has not; the callback of `jax_internals.before_deserialization`.

    Never raises; a failure is logged as an error if the executable contains one-shot calls.

    Args:
      serialized: the executable as saved.
    """
    if _registered:
        return
    try:
        register()
    except Exception as error:
        if CALL_TARGET.encode() in serialized:
            logger.error(
                "jax_oneshot: a saved executable holds one-shot calls, since it was compiled with JAX_ONESHOT=1, and "
                "they cannot run here: %s. Mend that, or compile it again with JAX_ONESHOT=0.",
                error,
            )
