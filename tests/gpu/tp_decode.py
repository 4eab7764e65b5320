# SPDX-License-Identifier: Apache-2.0
"""A tensor-parallel decode through JAX on real GPUs: off, on, and with a rank that dies.

A test and no benchmark: it fails if tokens differ, nothing was fused or a wait does not end; the times of a step, on
ranks that may share a GPU, only show that nothing waits. `bench decode` measures. pytest does not run it, because the
ranks are processes on a machine that may have nothing but the packed folder of `tools/gpu pack`.

Needs an NVIDIA GPU, JAX with its CUDA plug-in, and jax_oneshot. --gpus says where the ranks are:

    one       all on the first GPU, a process per rank. Needs NCCL >= 2.30 (NCCL_MULTI_RANK_GPU_ENABLE). Starts MPS if
              available, so that the ranks' kernels run concurrently; without it the GPU alternates between the
              processes, which is slow but just as correct.
    each      a GPU and a process per rank
    together  a GPU per rank, all in one process

Prints a table; with --json FILE writes the same as JSON. Exit status 1 if tokens differ, nothing was fused, or a wait
does not end.

    python tests/gpu/tp_decode.py --ranks 2 --json decode.json
    python tests/gpu/tp_decode.py --ranks 2 --gpus each --json decode.json
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jax_oneshot.benchmarks.decode import fleet

WORKER = pathlib.Path(__file__).with_name("tp_decode_worker.py")
SIZES = ("ffn", "heads", "kv_heads", "head_dim", "vocab", "batch")  # of ModelConfig
DEADLINE_S = 5.0
GRACE_S = 15.0  # time to exit after the deadline, in which JAX waits for other processes and XLA frees memory


@dataclasses.dataclass(frozen=True)
class Ended:
    """A process that exited, or was killed (status None), after `seconds`."""

    status: int | None
    printed: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Setup:
    """The settings that all runs share."""

    ranks: int
    steps: int
    model: dict[str, Any]
    folder: pathlib.Path
    limit_s: float
    gpus: str = "one"  # or "each", "together"

    def save(self, name: str) -> pathlib.Path:
        """The file for the results of rank 0 of a run."""
        return self.folder / f"{name}.npz"


def run_ranks(setup: Setup, name: str, env: dict[str, str], die: tuple[int, int] | None = None) -> list[Ended]:
    """Starts the processes of all ranks, and waits for them. `die`: (rank, step) of one that exits early."""
    visible = fleet.visible_gpus(setup.ranks, setup.gpus, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    address = f"localhost:{fleet.free_port()}" if len(visible) > 1 else ""
    processes = []
    for rank, gpus in enumerate(visible):
        job = {"ranks": setup.ranks, "rank": rank, "coordinator": address, "model": setup.model, "steps": setup.steps}
        job |= {"save": str(setup.save(name)), "die_at": die[1] if die and die[0] == rank else -1}
        processes.append((job, {"CUDA_VISIBLE_DEVICES": gpus}))
    shared = dict(fleet.GPU_ENVIRONMENT)
    if setup.gpus == "one":
        shared |= {"NCCL_MULTI_RANK_GPU_ENABLE": "1"}
    return _run_all(processes, shared | env, setup.limit_s)


def run_reference(setup: Setup) -> Ended:
    """The same decode on the same number of CPU devices in one process, with XLA's own collectives."""
    job = {"ranks": setup.ranks, "rank": 0, "coordinator": "", "model": setup.model, "steps": setup.steps}
    env = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_force_host_platform_device_count={setup.ranks}"}
    return _run_all([(job | {"save": str(setup.save("cpu"))}, {"JAX_ONESHOT": "0"})], env, setup.limit_s)[0]


def _run_all(jobs: Sequence[tuple[dict[str, Any], dict[str, str]]], env: dict[str, str], limit_s: float) -> list[Ended]:
    """Runs a process per job, with `env` and variables of its own."""
    start = time.monotonic()
    processes = []
    for job, own in jobs:
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read and closed below
        command = [sys.executable, str(WORKER), json.dumps(job)]
        processes.append((subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | env | own), log))
    ended: dict[int, Ended] = {}
    while len(ended) < len(processes):
        for i, (process, log) in enumerate(processes):
            seconds = time.monotonic() - start
            if i not in ended and (process.poll() is not None or seconds > limit_s):
                status = process.poll()
                process.kill()
                process.wait()
                log.seek(0)
                ended[i] = Ended(status, log.read(), seconds)
                log.close()
        time.sleep(0.02)
    return [ended[i] for i in range(len(processes))]


@contextlib.contextmanager
def mps(folder: pathlib.Path) -> Iterator[bool]:
    """Runs NVIDIA's multi-process service (MPS) in the context, if it can be started; yields whether it runs."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield False
        return
    os.environ["CUDA_MPS_PIPE_DIRECTORY"] = os.environ["CUDA_MPS_LOG_DIRECTORY"] = str(folder)
    started = subprocess.run([control, "-d"], capture_output=True, check=False).returncode == 0
    if not started:
        del os.environ["CUDA_MPS_PIPE_DIRECTORY"]
    try:
        yield started
    finally:
        if started:
            subprocess.run([control], input=b"quit\n", capture_output=True, timeout=30, check=False)


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


class Checks:
    """Collects errors and results."""

    def __init__(self) -> None:
        """Starts without errors and results."""
        self.wrong: list[str] = []
        self.results: dict[str, Any] = {}

    def run(self, name: str, setup: Setup, ended: Sequence[Ended], reference: np.ndarray | None) -> None:
        """Records one run: its times, and whether its tokens are the reference's."""
        failed = [
            f"rank {rank}: status {one.status}\n{one.printed[-3000:]}" for rank, one in enumerate(ended) if one.status
        ]
        failed += [
            f"rank {rank}: no end after {one.seconds:.0f} s\n{one.printed[-3000:]}"
            for rank, one in enumerate(ended)
            if one.status is None
        ]
        if failed:
            self.fail(f"{name}: " + "\n".join(failed))
            return
        saved = np.load(setup.save(name))
        median = statistics.median(saved["step_ms"][len(saved["step_ms"]) // 2 :])
        ahead = statistics.median(saved["ahead_ms"])
        self.results[name] = {"step_ms": round(float(median), 3), "ahead_ms": round(float(ahead), 3)}
        self.results["setup"] |= json.loads(str(saved["facts"]))
        if reference is not None:
            equal = bool(np.array_equal(saved["tokens"], reference))
            self.results[name]["tokens_equal"] = equal
            if not equal:
                self.fail(f"{name}: tokens differ from the CPU backend's")

    def fail(self, what: str) -> None:
        """Records and prints an error."""
        self.wrong.append(what)
        print(f"WRONG {what}", flush=True)


def count_verdicts(folder: pathlib.Path) -> dict[str, int]:
    """How many all-reduces were fused, plain and kept, over the reports of one rank (or of the only process)."""
    verdicts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.process0.report.json")) or sorted(folder.glob("*.report.json")):
        verdicts.update(entry["verdict"] for entry in json.loads(path.read_text())["all_reduces"])
    return dict(verdicts)


def check_decode(setup: Setup, checks: Checks) -> None:
    """Off, on, and on without command buffers must give the same tokens as on CPU."""
    checks.run("cpu", setup, [run_reference(setup)], None)
    tokens = np.load(setup.save("cpu"))["tokens"] if "cpu" in checks.results else None
    dumps = setup.folder / "dumps"
    runs = {
        "off": {"JAX_ONESHOT": "0"},
        "on": {"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(dumps)},
        "on, no command buffers": {"JAX_ONESHOT": "1", "XLA_FLAGS": "--xla_gpu_enable_command_buffer="},
    }
    for name, env in runs.items():
        checks.run(name, setup, run_ranks(setup, name, env), tokens)
    checks.results["verdicts"] = count_verdicts(dumps)
    if not checks.results["verdicts"].get("fused"):
        checks.fail(f"nothing was fused: {checks.results['verdicts']}")


def check_deadline(setup: Setup, checks: Checks) -> None:
    """The last rank dies halfway: the others must fail within the deadline, and one must say which rank was missing.

    Not every rank can: under MPS the first kernel that traps kills those of the other ranks, before they can say why.
    """
    kept = checks.results["verdicts"].get("kept", 0)
    if kept:  # the other ranks may be waiting in one of those when a rank dies
        checks.results["deadline"] = f"not tried: NCCL, which waits without end, still has {kept} of the all-reduces"
        return
    missing = setup.ranks - 1
    env = {"JAX_ONESHOT": "1", "JAX_ONESHOT_TIMEOUT_S": f"{DEADLINE_S:g}"}
    ended = run_ranks(setup, "deadline", env, die=(missing, setup.steps // 2))
    left_at, tellers = ended[missing].seconds, 0
    for rank, one in enumerate(ended[:missing]):
        took = one.seconds - left_at
        told = f"rank {rank} of {setup.ranks} waited" in one.printed and f"for rank {missing}," in one.printed
        tellers += told
        checks.results[f"deadline, rank {rank}"] = {"status": one.status, "seconds_after": round(took, 1), "told": told}
        if one.status in (0, None) or took > DEADLINE_S + GRACE_S:
            checks.fail(f"deadline, rank {rank}: status {one.status} {took:.1f} s after\n{one.printed[-3000:]}")
    if tellers == 0:
        checks.fail(f"deadline: nobody said that rank {missing} was missing\n{ended[0].printed[-3000:]}")


def main() -> int:
    """Runs all checks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--gpus", choices=("one", "each", "together"), default="one", help="see above")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=1024)
    for size in SIZES:
        parser.add_argument(f"--{size.replace('_', '-')}", type=int, help="of the model, instead of the demo's")
    parser.add_argument("--family", default="llama", help="llama, gemma2 or gpt2")
    parser.add_argument("--scan", action="store_true", help="layers run in a loop")
    parser.add_argument("--shard-norms", action="store_true", help="weights of norms lie in shards")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds until a run that does not end is ended")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--no-mps", action="store_true")
    parser.add_argument("--nccl", type=pathlib.Path, help="a libnccl.so.2 to use instead of the installed one")
    arguments = parser.parse_args()
    if arguments.nccl:
        os.environ["LD_PRELOAD"] = str(arguments.nccl.resolve(strict=True))
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = {name: getattr(arguments, name) for name in ("family", "scan", "layers", "hidden", "shard_norms")}
        model |= {size: getattr(arguments, size) for size in SIZES if getattr(arguments, size)}
        setup = Setup(arguments.ranks, arguments.steps, model, folder, arguments.limit, arguments.gpus)
        share = setup.gpus == "one" and not arguments.no_mps
        with mps(folder) if share else contextlib.nullcontext(False) as with_mps:
            facts = {"ranks": setup.ranks, "gpus": setup.gpus, "mps": with_mps, "model": model, "date": _today()}
            checks.results["setup"] = facts
            check_decode(setup, checks)
            if setup.gpus != "together":  # there a rank cannot die alone
                check_deadline(setup, checks)
    for what, result in checks.results.items():
        print(f"{what:28} {result}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(checks.results | {"wrong": checks.wrong}, indent=1) + "\n")
    return 1 if checks.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
