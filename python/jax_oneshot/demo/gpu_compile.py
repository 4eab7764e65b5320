# SPDX-License-Identifier: Apache-2.0
"""Compiles a decoding step for 8 H100s with XLA's own GPU compiler, on a machine without a GPU.

The result is the pass's report.json and the time that the compile took. JAX's CUDA plug-in contains the whole compiler;
a description of the chip (data/h100_sxm.txtpb) replaces queries to the driver. The compile runs in a separate process,
because JAX_ONESHOT is read when JAX starts, and to hide the compiler's own output.
"""

import dataclasses
import importlib.resources
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jax_oneshot import dumps
from jax_oneshot.demo import compare, decode, models

TOPOLOGY = "1x1x8"  # slices x hosts x GPUs of a host
HOW_TO_INSTALL = (
    "Compiling for GPUs needs JAX's CUDA plug-in, but neither a GPU nor CUDA's libraries. Install it with\n"
    "  pip install --no-deps jax-cuda13-plugin=={version} jax-cuda13-pjrt=={version}\n"
    "and, where no CUDA toolkit is installed, the compiler's own tools with\n"
    "  pip install --no-deps nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-runtime"
)


class GpuCompileError(RuntimeError):
    """The plug-in is missing, or the compile failed; the message says what to install, or has the compiler's output."""


@dataclasses.dataclass(frozen=True)
class GpuCompilation:
    """Attributes: the reports of all modules with an all-reduce; wall time of the compile in seconds."""

    reports: list[dict[str, Any]]
    seconds: float


def real_widths(config: models.ModelConfig) -> models.ModelConfig:
    """`config` with the widths of Gemma 2 9B; family and layers stay."""
    return dataclasses.replace(
        config, hidden=3584, ffn=14336, heads=16, kv_heads=8, head_dim=256, vocab=256000, max_len=1024
    )


def topology_devices() -> Any:
    """8 abstract GPUs to compile for. Needs JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1, see `gpu_environment`."""
    from jax.experimental import topologies

    target = importlib.resources.files("jax_oneshot").joinpath("data", "h100_sxm.txtpb").read_text()
    topology = topologies.get_topology_desc(platform="cuda", topology_name="", topology=TOPOLOGY, target_config=target)
    return topology.devices


def gpu_environment(dump_to: str) -> dict[str, str]:
    """Environment of a process that compiles for GPUs with the pass on, without using a GPU."""
    return {
        "JAX_PLATFORMS": "cpu",
        "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "JAX_ONESHOT": "1",
        "JAX_ONESHOT_DUMP_TO": dump_to,
    }


def require_plugin() -> None:
    """Raises GpuCompileError, saying what to install, if there is no CUDA plug-in."""
    if not any(_has_module(f"jax_plugins.xla_cuda{version}") for version in (13, 12)):
        raise GpuCompileError(HOW_TO_INSTALL.format(version=jax.__version__))


def compile_in_process(command: Sequence[str], keep: pathlib.Path | None = None) -> GpuCompilation:
    """Runs `command`, which compiles for `topology_devices()` and prints {"seconds": ...} last.

    Args:
      command: a program and its arguments.
      keep: a folder that the dump is added to.

    Raises:
      GpuCompileError: the plug-in is missing or the command failed.
    """
    require_plugin()
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "dump")
        done = subprocess.run(
            command, env={**os.environ, **gpu_environment(dump)}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise GpuCompileError(f"the compile for GPUs ended with status {done.returncode}:\n{done.stderr[-4000:]}")
        seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
        if keep is not None:
            dumps.adopt(pathlib.Path(dump), keep)
        return GpuCompilation(compare.read_reports(dump), seconds)


def compile_model(config: models.ModelConfig, keep: pathlib.Path | None = None) -> GpuCompilation:
    """Compiles the demo's step with exactly these sizes; see `compile_in_process` for errors."""
    return compile_in_process(compare.worker_command(config, module="jax_oneshot.demo.gpu_compile"), keep)


def print_compile_seconds(step: Any, arguments: Sequence[Any]) -> None:
    """For a command of `compile_in_process`: compiles a jitted `step` and prints the seconds."""
    lowered = step.lower(*arguments)
    start = time.perf_counter()
    lowered.compile()
    print(json.dumps({"seconds": time.perf_counter() - start}))


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    """Compiles the model that argv[1] describes."""
    config = models.ModelConfig(**json.loads(sys.argv[1]))
    mesh = jax.sharding.Mesh(np.array(topology_devices()), ("tp",))
    print_compile_seconds(decode.jit_step(config), decode.abstract_arguments(config, mesh))


if __name__ == "__main__":
    main()
