# SPDX-License-Identifier: Apache-2.0
"""The processes of one variant: one per GPU, or one with all of them. All get the same requests.

A process that fails leaves the others of its fleet waiting for it, so any failure ends them all.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from jax_oneshot.demo.compare import Worker, WorkerError

GPU_ENVIRONMENT = {"JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # of every process
_POLL_S = 0.1
_COMMAND = [sys.executable, "-m", "jax_oneshot.benchmarks.decode.worker"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the ranks are.

    Attributes:
      ranks: how many there are, with one device each.
      place: "each": a process per GPU; "together": one process.
      platform: "cuda" or "cpu" (virtual devices, one process).
    """

    ranks: int
    place: str
    platform: str

    def environments(self, visible: str) -> list[dict[str, str]]:
        """Environment variables of each process. `visible`: the caller's CUDA_VISIBLE_DEVICES; empty: all GPUs.

        Raises:
          ValueError: fewer GPUs than ranks.
        """
        if self.platform == "cpu":
            return [{"JAX_PLATFORMS": "cpu"}]
        return [
            GPU_ENVIRONMENT | {"CUDA_VISIBLE_DEVICES": one} for one in visible_gpus(self.ranks, self.place, visible)
        ]

    def flags(self) -> list[str]:
        """XLA flags of every variant."""
        return [f"--xla_force_host_platform_device_count={self.ranks}"] if self.platform == "cpu" else []


class Fleet:
    """The processes of one variant. Use as a context manager."""

    def __init__(self, layout: Layout, job: Mapping[str, Any], environment: Mapping[str, str], limit_s: float) -> None:
        """Starts the processes.

        Args:
          layout: where the ranks are.
          job: fields of worker.Job that all share.
          environment: variables that all share.
          limit_s: how long an answer may take, in seconds.

        Raises:
          ValueError: fewer GPUs than ranks.
        """
        self._limit_s = limit_s
        self._why = ""
        own = layout.environments(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        address = f"localhost:{free_port()}" if len(own) > 1 else ""
        self._workers = []
        for rank, one in enumerate(own):
            fields = {**job, "coordinator": address, "processes": len(own), "rank": rank}
            self._workers.append(Worker([*_COMMAND, json.dumps(fields)], {**one, **environment}))

    def __enter__(self) -> Fleet:
        """Returns the fleet; its processes were started by the constructor."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the processes, whatever they are doing."""
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.__exit__(None, None, None)

    def first_answer(self) -> dict[str, Any]:
        """Rank 0's facts about its devices (worker.py), once all are ready. Raises WorkerError."""
        return self._answers()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Rank 0's answer, once all have answered. Raises WorkerError if a process ends or is late instead."""
        for worker in self._workers:
            worker.send(**request)
        return self._answers()

    def _answers(self) -> dict[str, Any]:
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watch.start()
        try:
            answers = [worker.answer() for worker in self._workers]
            return answers[0]
        except WorkerError as error:
            watch.join()
            raise WorkerError(self._why or str(error)) from None
        finally:
            done.set()
            watch.join()

    def _watch(self, done: threading.Event) -> None:
        """Ends all processes as soon as one has ended, or is late."""
        deadline = time.monotonic() + self._limit_s
        while not done.wait(_POLL_S):
            ended = [rank for rank, worker in enumerate(self._workers) if worker.has_ended()]
            if not ended and time.monotonic() < deadline:
                continue
            if ended:
                self._why = f"rank {ended[0]} ended; it printed:\n{self._workers[ended[0]].printed()}"
            else:
                self._why = f"no answer within {self._limit_s:.0f} s; rank 0 printed:\n{self._workers[0].printed()}"
            for worker in self._workers:
                worker.end()
            return


def visible_gpus(ranks: int, place: str, visible: str) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each process.

    Args:
      ranks: how many there are.
      place: "each": a GPU and a process per rank; "together": a GPU per rank, one process; "one": a process per rank,
        all on the first GPU.
      visible: the caller's own CUDA_VISIBLE_DEVICES; empty: all GPUs.

    Raises:
      ValueError: fewer GPUs than ranks, where each takes one.
    """
    gpus = visible.split(",") if visible else [str(gpu) for gpu in range(ranks)]
    if place == "one":
        return gpus[:1] * ranks
    if len(gpus) < ranks:
        raise ValueError(f"{ranks} ranks take a GPU each; CUDA_VISIBLE_DEVICES names {len(gpus)}: {visible}")
    return gpus[:ranks] if place == "each" else [",".join(gpus[:ranks])]


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.create_server(("localhost", 0)) as server:
        port: int = server.getsockname()[1]
        return port
