# SPDX-License-Identifier: Apache-2.0
"""Runs each program in a process with the pass off and in one with it on, and compares the outcomes.

A process that ends (a crash, a limit) or does not answer is a finding on its program; the next program gets a new
process.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import pickle
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Self

from programs import law
from programs.program import Program

PROGRAMS_PER_PROCESS = 60  # the compilers' memory grows
_WORKER = pathlib.Path(__file__).with_name("worker.py")


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of one part of one program (usually a compile and two runs) in one process.

    Attributes: CPU time; memory beyond what the process has mapped before its first program; and, to detect deadlocks,
    wall time of all parts, generous since the machine may be shared.
    """

    cpu_seconds: float = 120
    memory_bytes: int = 6 << 30
    wall_seconds: float = 900


_LIMITS = Limits()


@dataclasses.dataclass(frozen=True)
class Finding:
    """Attributes: the kind (one of `KINDS`); the platform; one or a few lines of details."""

    kind: str
    platform: str
    what: str


# Kinds of findings, worst first.
KINDS = {
    "limit": "a process ended or did not answer",
    "error": "it compiles and runs without the pass only",
    "pass failed": "the pass warned",
    "wrong": "results break the law",
    "unsteady": "two runs give unlike bits",
    "collectives": "more collectives with the pass than without",
    "invalid": "it does not compile or run without the pass either",
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Attributes: findings; number of one-shot calls per platform."""

    findings: tuple[Finding, ...]
    calls: dict[str, int]


class Ended(Exception):
    """A worker exited, or was killed."""


class Process:
    """One worker, started on first use."""

    def __init__(self, *, on: bool, log: pathlib.Path, limits: Limits, jax: pathlib.Path | None) -> None:
        self._on, self._log, self._limits, self._jax = on, log, limits, jax
        self._child: subprocess.Popen[str] | None = None
        self._jobs = 0

    def run(self, file: pathlib.Path, parts: Sequence[str], results: pathlib.Path) -> dict[str, Any]:
        """The worker's result for each part. Raises Ended."""
        if self._child is None or self._jobs >= PROGRAMS_PER_PROCESS:
            self.close()
            self._child, self._jobs = self._start(), 0
        self._jobs += 1
        assert self._child.stdin is not None
        job = {"file": str(file), "parts": list(parts), "results": str(results)}
        part = "start"
        try:
            self._child.stdin.write(json.dumps(job) + "\n")
            self._child.stdin.flush()
            deadline = time.monotonic() + self._limits.wall_seconds
            while True:
                answer = self._answer(deadline)
                if "done" in answer:
                    done: dict[str, Any] = answer["done"]
                    return done
                part = answer["begins"]
        except (Ended, BrokenPipeError) as error:
            self.close()
            raise Ended(f"part {part}: {error}") from None

    def close(self) -> None:
        """Kills the worker."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _start(self) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
        paths = [str(self._jax)] if self._jax else []
        environment = inherited | {
            "JAX_ONESHOT": "1" if self._on else "0",
            "JAX_PLATFORMS": "cpu",
            "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
            "JAX_ENABLE_COMPILATION_CACHE": "false",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
            "PYTHONPATH": os.pathsep.join([*paths, *filter(None, [inherited.get("PYTHONPATH")])]),
        }
        with open(self._log, "ab") as log:
            return subprocess.Popen(
                [sys.executable, str(_WORKER), str(self._limits.cpu_seconds), str(self._limits.memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
            )

    def _answer(self, deadline: float) -> dict[str, Any]:
        child = self._child
        assert child is not None
        assert child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            if not selector.select(max(0, deadline - time.monotonic())):
                raise Ended(f"no answer within {self._limits.wall_seconds} s")
        line = child.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        status = child.wait()
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        why = f" ({self._limits.cpu_seconds} s of CPU time)" if status == -signal.SIGPROF else ""
        last = self._log.read_text(errors="replace").strip().splitlines()[-3:]
        raise Ended(f"the process ended with {name}{why}; the last it printed: {' | '.join(last)[-500:]}")


class Pair:
    """Runs programs off and on."""

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        platforms: Sequence[str] = ("cpu", "gpu"),
        limits: Limits = _LIMITS,
        jax: pathlib.Path | None = None,
    ) -> None:
        """Creates a pair whose processes start on first use.

        Args:
          folder: for program files, results and logs.
          platforms: "cpu" to run, "gpu" to compile.
          limits: of each process.
          jax: a folder with another version of jax, or None for the installed one.
        """
        self._folder, self._platforms = folder, platforms
        folder.mkdir(parents=True, exist_ok=True)
        self._off = Process(on=False, log=folder / "off.log", limits=limits, jax=jax)
        self._on = Process(on=True, log=folder / "on.log", limits=limits, jax=jax)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._off.close()
        self._on.close()

    def run(self, program: Program, platforms: Sequence[str] = ()) -> Outcome:
        """Runs one program in both processes and compares; `platforms`: only on those, if given."""
        platforms = platforms or self._platforms
        file = self._folder / f"program_{program.seed}.py"
        file.write_text(program.text())
        results = [file.with_suffix(".off"), file.with_suffix(".on")]
        reference = ["reference"] if "cpu" in platforms else []
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as both:
                off = both.submit(self._off.run, file, [*platforms, *reference], results[0])
                on = both.submit(self._on.run, file, platforms, results[1])
                try:
                    plain = off.result()
                except Ended as error:
                    on.exception()
                    return Outcome((Finding("invalid", "", f"without the pass: {error}"),), {})
                try:
                    fused = on.result()
                except Ended as error:
                    return Outcome((Finding("limit", "", str(error)),), {})
            return _compare(program, plain, fused, results)
        finally:
            for path in [file, *results, results[0].with_suffix(".reference")]:
                path.unlink(missing_ok=True)


def _compare(
    program: Program, plain: dict[str, Any], fused: dict[str, Any], results: Sequence[pathlib.Path]
) -> Outcome:
    findings: list[Finding] = []
    platforms = list(fused)
    for platform in platforms:
        findings += compare_part(platform, plain[platform], fused[platform])
    if "cpu" in platforms and not any("error" in part["cpu"] for part in (plain, fused)):
        if "error" in plain["reference"]:
            findings.append(Finding("invalid", "cpu", "in float64: " + plain["reference"]["error"]))
        else:
            off, on = (pickle.loads(path.read_bytes()) for path in results)
            samples = pickle.loads(results[0].with_suffix(".reference").read_bytes())
            breaches = law.breaches(off, on, samples, ranks=program.manual)
            findings += [Finding("wrong", "cpu", f"output {b.output}, {b.what}") for b in breaches]
    calls = {name: fused[name].get("counts", {}).get("call", 0) for name in platforms}
    return Outcome(tuple(findings), calls)


def compare_part(platform: str, plain: dict[str, Any], fused: dict[str, Any]) -> list[Finding]:
    """Findings from the two processes' answers on one platform."""
    if "error" in plain:
        return [Finding("invalid", platform, plain["error"])]
    findings = [Finding("pass failed", platform, text) for text in fused["messages"]]
    if "error" in fused:
        return [*findings, Finding("error", platform, fused["error"])]
    before, after = sum(plain["counts"].values()), sum(fused["counts"].values())
    if after > before:
        findings.append(Finding("collectives", platform, f"{plain['counts']} -> {fused['counts']}"))
    if not fused.get("same_again", True):
        findings.append(Finding("unsteady", platform, "two runs of one executable gave unlike bits"))
    return findings
