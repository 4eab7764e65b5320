# SPDX-License-Identifier: Apache-2.0
"""Compares two processes with the same decoder, one with JAX_ONESHOT off and one with it on.

A decoder process is decode.py, or a script that calls its `serve`. The result is a `Comparison`: verdicts counted from
the reports, whether the tokens agree, the step times and their ratio.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from jax_oneshot import dumps
from jax_oneshot.demo.models import ModelConfig

DEVICES = 8


class WorkerError(RuntimeError):
    """A child process ended or sent an invalid answer; the message has the end of its stderr."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The results of off and on.

    Attributes:
      name: the model's.
      verdicts: how many all-reduces were "fused", "plain" and "kept".
      absorbed: number of instructions that the calls absorbed.
      reports: report.json of every module with an all-reduce.
      steps: number of tokens decoded per sequence.
      first_difference: first step at which a token differs, or None.
      max_logit_difference: largest absolute difference of a logit, up to the first step whose tokens differ.
      smallest_gap: smallest gap between the best two logits of a sequence, over the same steps; the logit difference
        must be smaller for the tokens to be certain.
      off_ms, on_ms: median step time in milliseconds; NaN when not timed.
    """

    name: str
    verdicts: dict[str, int]
    absorbed: int
    reports: list[dict[str, Any]]
    steps: int
    first_difference: int | None
    max_logit_difference: float
    smallest_gap: float
    off_ms: float
    on_ms: float

    @property
    def tokens_equal(self) -> bool:
        """Whether every token of every step agrees."""
        return self.first_difference is None

    @property
    def ratio(self) -> float:
        """How many times faster a step is with the variable on."""
        return self.off_ms / self.on_ms


class Worker:
    """A child process that answers JSON requests, one per line. Use as a context manager."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        """Returns the worker; its process was started by the constructor."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Kills the process and waits for it."""
        self.end()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # a request that the process no longer read
                    stream.close()

    def end(self) -> None:
        """Kills the process; a thread that waits for its answer gets a WorkerError."""
        self._process.kill()

    def answer(self) -> dict[str, Any]:
        """Waits for the next answer. Raises WorkerError if the process ends instead, or the answer is not JSON."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            answer: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            raise WorkerError(
                f"a process said {line!r} where an answer was due; it printed:\n{self.printed()}"
            ) from None
        return answer

    def send(self, **request: Any) -> None:
        """Sends a request; `answer` waits for the result."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the process has ended: answer() raises, with its stderr
            print(json.dumps(request), file=self._process.stdin, flush=True)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer."""
        self.send(**request)
        return self.answer()

    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def printed(self) -> str:
        """The last 4000 characters of the process's stderr."""
        self._log.seek(0)
        return self._log.read()[-4000:]


def worker_command(config: ModelConfig, module: str = "jax_oneshot.demo.decode") -> list[str]:
    """The command line of decode.py, or of another module that takes a model's sizes as JSON."""
    fields = dataclasses.asdict(config)
    del fields["dtype"]  # the default; not JSON
    return [sys.executable, "-m", module, json.dumps(fields)]


def cpu_environment(on: bool, dump_to: str = "") -> dict[str, str]:
    """Environment of a process with 8 CPU devices. Sets JAX_ONESHOT and the dump, so that the caller's do not leak in.

    Args:
      on: whether jax-oneshot is on.
      dump_to: the dump folder; empty: none.
    """
    return {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={DEVICES}",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "JAX_ONESHOT": "1" if on else "0",
        "JAX_ONESHOT_DUMP_TO": dump_to,
    }


def compare(
    name: str,
    command: Sequence[str],
    *,
    steps: int,
    rounds: int,
    progress: Callable[[str], None] = lambda text: None,
    keep: pathlib.Path | None = None,
) -> Comparison:
    """Runs both processes.

    Args:
      name: for the result.
      command: command line of a decoder process.
      steps: tokens to decode and compare, and steps per timing round.
      rounds: timing rounds; off and on alternate, so that both see the same load. 0: do not time.
      progress: called with the current step.
      keep: a folder that the dump is added to.

    Raises:
      WorkerError: a process failed.
      OSError: the dump cannot be written to `keep`.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {on: os.path.join(folder, f"{on}.npz") for on in (False, True)}
        dump = os.path.join(folder, "dump")
        progress("compiling, off and on")
        with Worker(command, cpu_environment(False)) as off, Worker(command, cpu_environment(True, dump)) as on:
            off.answer(), on.answer()
            progress(f"decoding {steps} tokens, off")
            off.ask(do="decode", steps=steps, save=files[False])
            progress(f"decoding {steps} tokens, on")
            on.ask(do="decode", steps=steps, save=files[True])
            off_ms, on_ms = _time(off, on, steps, rounds, progress)
        reports = read_reports(dump)
        if keep is not None:
            dumps.adopt(pathlib.Path(dump), keep)
        with np.load(files[False]) as off_run, np.load(files[True]) as on_run:
            difference = logit_difference(dict(off_run), dict(on_run))
    verdicts, absorbed = count_verdicts(reports)
    return Comparison(name, verdicts, absorbed, reports, steps, *difference, off_ms, on_ms)


def read_reports(folder: str) -> list[dict[str, Any]]:
    """Every report.json of a dump folder, in the order of compilation; none if the folder does not exist."""
    return [json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.report.json"))]


def count_verdicts(reports: Sequence[dict[str, Any]]) -> tuple[dict[str, int], int]:
    """How many all-reduces of `reports` got each verdict, and how many instructions their calls absorbed."""
    entries = [entry for report in reports for entry in report["all_reduces"]]
    found = Counter(entry["verdict"] for entry in entries)
    verdicts = {verdict: found[verdict] for verdict in ("fused", "plain", "kept")}
    return verdicts, sum(entry["absorbed"]["instructions"] for entry in entries)


def _time(off: Worker, on: Worker, steps: int, rounds: int, progress: Callable[[str], None]) -> tuple[float, float]:
    if rounds == 0:
        return float("nan"), float("nan")
    times: dict[Worker, list[float]] = {off: [], on: []}
    for number in range(rounds):
        progress(f"timing, round {number + 1} of {rounds}")
        for worker in (off, on):
            times[worker] += worker.ask(do="time", steps=steps)["step_ms"]
    return statistics.median(times[off]), statistics.median(times[on])


def logit_difference(off: dict[str, np.ndarray], on: dict[str, np.ndarray]) -> tuple[int | None, float, float]:
    """(first step whose tokens differ, largest logit difference, smallest gap between the two best logits).

    Args:
      off, on: what decode.py saved: "tokens" int32[steps, batch], "logits" f32[steps, batch, vocab].
    """
    differing = np.nonzero((off["tokens"] != on["tokens"]).reshape(len(off["tokens"]), -1).any(axis=1))[0]
    first = int(differing[0]) if differing.size else None
    # After that step the two runs read different tokens, and their logits cannot be compared.
    end = len(off["tokens"]) if first is None else first + 1
    best = np.sort(off["logits"][:end], axis=-1)
    largest = float(np.abs(off["logits"][:end] - on["logits"][:end]).max())
    return first, largest, float((best[..., -1] - best[..., -2]).min())
