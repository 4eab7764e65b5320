# SPDX-License-Identifier: Apache-2.0
"""The entry point that JAX calls before any backend exists. With JAX_ONESHOT=1 it registers the pass and its handlers
for CPU and CUDA; otherwise only what a saved executable needs, should the process load one.

JAX imports this file in every process once jax-oneshot is installed, so it must import almost nothing itself.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from jax_oneshot.config import Config
    from jax_oneshot.hook import HookDependencies
    from jax_oneshot.rewrite_counter import RewriteCounter

PASS_NAME = "jax_oneshot"
CALL_TARGET = "jax_oneshot.all_reduce"  # ffi_kernels/call_attributes.h
GRAPH_END_TARGET = f"{CALL_TARGET}.graph_end"
CPU_STATE_TYPE = "jax_oneshot.cpu_call_state"  # ffi_kernels/cpu/handler.h
CUDA_STATE_TYPE = "jax_oneshot.cuda_call_state"  # ffi_kernels/cuda/handler/handler.h


def initialize() -> None:
    """JAX's plug-in entry point (group `jax_plugins`, see `jax.extend.backend`).

    Never raises: an invalid configuration or a broken installation is logged once as an error, and the model runs as if
    the variable were unset.
    """
    if os.environ.get("JAX_ONESHOT", "").strip() in ("", "0"):
        _run_saved_executables()
        return

    import logging

    from jax_oneshot import jax_internals

    logger = logging.getLogger("jax_oneshot")
    untried = jax_internals.untried_version()
    try:
        _start()
        if untried:
            logger.info("jax_oneshot: in use, though %s", untried)
    except Exception as error:
        details = "\n  ".join(filter(None, [*str(error).splitlines(), untried]))
        logger.error("jax_oneshot: not in use, nothing will be fused (JAX itself goes on as usual):\n  %s", details)
        _run_saved_executables()


def _run_saved_executables() -> None:
    """Prepares a process without the pass for executables that were saved by one with it."""
    from jax_oneshot import jax_internals

    def prepare(serialized: bytes) -> None:
        from jax_oneshot import call_targets

        call_targets.register_for_saved_executable(serialized)

    try:
        jax_internals.before_deserialization(prepare)
    except Exception as error:  # another version of JAX; loading such an executable will report the missing target
        import logging

        logging.getLogger("jax_oneshot").debug("jax_oneshot: saved one-shot calls will not run: %s", error)


def _start() -> None:
    import functools

    from jax_oneshot import call_targets, gpu_obstacles, jax_internals, native, nvidia_driver
    from jax_oneshot import config as config_lib
    from jax_oneshot.hook import Hook, HookDependencies
    from jax_oneshot.rewrite_counter import RewriteCounter

    config = config_lib.Config.from_environment(os.environ)
    # First the handlers that a rewritten module needs, then its cache key, and only then the pass that rewrites.
    library = call_targets.register()
    dependencies = HookDependencies(
        run_pass=library.run_pass,
        gpu_architecture=nvidia_driver.architecture,
        gpu_obstacle=gpu_obstacles.GpuObstacles(
            nvidia_driver.gpu_count, jax_internals.gpu_host_count, library.cuda_obstacle, gpu_obstacles.find_nccl
        ),
        hlo_text=jax_internals.hlo_text,
        process_index=jax_internals.process_index,
        module_header=library.module_header,
        local_cpu_ids=jax_internals.local_cpu_ids,
        combine_limits=functools.cache(jax_internals.combine_limits),
    )
    counter = RewriteCounter(config.limit)
    jax_internals.add_to_cache_key(lambda: _cache_key(config, native.digest(), dependencies, counter))
    jax_internals.register_cpu_transform(PASS_NAME, Hook(config, "cpu", dependencies, counter))
    jax_internals.register_cuda_transform(
        PASS_NAME, Hook(config, "cuda", dependencies, counter), _cuda_registration_failed
    )


def _cache_key(config: Config, build: str, dependencies: HookDependencies, counter: RewriteCounter) -> str:
    """Everything that affects how the hook rewrites: a cache entry made under other settings must not be found."""
    gpu = dependencies.gpu_architecture()
    # Whether there are other processes, not this one's index: processes of a program share the executables for GPUs.
    # For CPU, JAX's own key contains the devices.
    kept = f"single_process={dependencies.process_index() is None};gpu={gpu}"
    return f"{config.fingerprint(gpu)};native={build};{kept};{counter.cache_key()}"


def _cuda_registration_failed(error: Exception) -> None:
    import logging

    from jax_oneshot import jax_internals

    logging.getLogger("jax_oneshot").warning(
        "jax_oneshot: the CUDA plug-in did not take the pass, so modules for CUDA are left alone: %s. "
        "Plug-ins of jax %s take it.",
        error,
        " and ".join(jax_internals.SUPPORTED_VERSIONS),
    )
