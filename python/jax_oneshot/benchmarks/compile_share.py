# SPDX-License-Identifier: Apache-2.0
"""Measures the pass's share of the compile it runs in, for the demo's models on CPU and for 8 H100s.

Run as a program, it compiles on CPU: takes a model's sizes as JSON in argv[1] and prints the seconds.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

from jax_oneshot.demo import compare, gpu_compile
from jax_oneshot.demo.models import ModelConfig

_MODEL = ModelConfig(family="gemma2", layers=4)


@dataclasses.dataclass(frozen=True)
class CompileShare:
    """Attributes: platform; milliseconds of the pass in one compile; milliseconds of the whole compile."""

    platform: str
    pass_ms: float
    compile_ms: float

    @property
    def percent(self) -> float:
        """The pass's share in percent."""
        return 100 * self.pass_ms / self.compile_ms


def measure(progress: Callable[[str], None]) -> tuple[list[CompileShare], str]:
    """Shares by platform, and why the one for H100s is missing, if it is.

    Raises:
      WorkerError: the compile on CPU failed.
    """
    progress("pass: compiling a model on CPU")
    shares = [_share("cpu", _compile_on_cpu())]
    progress("pass: compiling a model for 8 H100s")
    try:
        shares.append(_share("cuda", gpu_compile.compile_model(gpu_compile.real_widths(_MODEL))))
    except gpu_compile.GpuCompileError as error:
        return shares, str(error)
    return shares, ""


def _share(platform: str, compilation: gpu_compile.GpuCompilation) -> CompileShare:
    return CompileShare(platform, sum(report["pass_ms"] for report in compilation.reports), compilation.seconds * 1e3)


def _compile_on_cpu() -> gpu_compile.GpuCompilation:
    command = compare.worker_command(_MODEL, module="jax_oneshot.benchmarks.compile_share")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **compare.cpu_environment(True, folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise compare.WorkerError(f"the compile on CPU ended with {done.returncode}:\n{done.stderr[-4000:]}")
        seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
        return gpu_compile.GpuCompilation(compare.read_reports(folder), seconds)


def main() -> None:
    """Compiles the model that argv[1] describes for this process's CPU devices."""
    import jax
    import numpy as np

    from jax_oneshot.demo import decode

    config = ModelConfig(**json.loads(sys.argv[1]))
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("tp",))
    gpu_compile.print_compile_seconds(decode.jit_step(config), decode.abstract_arguments(config, mesh))


if __name__ == "__main__":
    main()
