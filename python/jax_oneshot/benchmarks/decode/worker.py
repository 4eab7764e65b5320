# SPDX-License-Identifier: Apache-2.0
"""One process of `bench decode`: a decoder on all devices of this machine, or one rank's share of it.

argv[1]: a Job as JSON.
stdin:   requests, one JSON object per line. Every process of a run gets the same ones.
             {"do": "build"}                                   compile the step and the loop over tokens
             {"do": "time", "way": "loop", "steps": 64}        milliseconds per step
             {"do": "profile", "way": "loop", "steps": 8}      where the time goes (trace.py); from rank 0 only
             {"do": "prefill", "tokens": 512, "times": 5}      milliseconds to the first token of a prompt
             {"do": "logits", "steps": 32, "tokens": null, "file": "a.npy"}
                                                               the tokens chosen from position 0 on; each step reads
                                                               the last choice, or is fed from `tokens` if given;
                                                               rank 0 saves the logits
stdout:  an answer to each, one JSON object per line, after a first one that describes the devices.

A step is driven in three ways:

    loop    many steps in one jitted loop: the device's own time
    ahead   a call per step, without waiting for any but the last: the host's time, if longer than the device's
    waited  a call per step, waiting for each, like a server that reads every token

JAX_ONESHOT comes from the environment.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, TextIO

import jax
import jax.numpy as jnp
import numpy as np

from jax_oneshot.benchmarks.decode import WAYS
from jax_oneshot.demo import models, weights

_SHUTDOWN_S = 2  # how long a process waits for the others at exit; JAX's default is 5 minutes

DONATIONS: dict[str, tuple[int, ...]] = {"all": (1, 2), "cache": (2,), "none": ()}  # arguments of a step

Last = tuple[jax.Array, jax.Array]  # tokens and their position


@dataclasses.dataclass(frozen=True)
class Job:
    """The task of one process.

    Attributes:
      model: fields of `ModelConfig`.
      loop_steps: steps of one jitted loop.
      donate: one of DONATIONS: which of a step's buffers are donated to the next one.
      roll_head: see weights.init_on_devices.
      float32: compute with the same weights in float32, without TF32 in matrix products.
      coordinator: address for `jax.distributed`; empty: this process has all devices.
      processes: how many there are.
      rank: which of them this is.
    """

    model: dict[str, Any]
    loop_steps: int
    donate: str
    roll_head: bool = True
    float32: bool = False
    coordinator: str = ""
    processes: int = 1
    rank: int = 0


class Decoder:
    """A model on its devices, and the state of its decoding."""

    def __init__(self, job: Job) -> None:
        """Creates the weights; `build` compiles."""
        config = models.ModelConfig(**job.model)
        self._loop_steps = job.loop_steps
        self._donated = DONATIONS[job.donate]
        mesh = jax.sharding.Mesh(np.array(jax.devices()), ("tp",))
        self._params = weights.init_on_devices(config, mesh, seed=0, roll_head=job.roll_head)
        if job.float32:
            jax.config.update("jax_default_matmul_precision", "highest")
            self._params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), self._params)
            config = dataclasses.replace(config, dtype=jnp.float32)
        self._config = config
        cache = weights.abstract_cache(config, mesh)
        whole = weights.replicated(mesh, (), jnp.int32).sharding
        self._shardings = ((whole, whole), jax.tree.map(lambda leaf: leaf.sharding, cache))
        self._last: Last
        self._begin = jax.jit(self._start, out_shardings=self._shardings)
        self._last, self._cache = self._begin()
        self._step, self._loop = (self._jit(one) for one in (self._one_step, self._many_steps))
        self._prefill, self._logits_step = (
            jax.jit(functools.partial(one, config), donate_argnums=1, out_shardings=(whole, logits, self._shardings[1]))
            for one, logits in ((models.prefill, None), (models.decode_step, whole))
        )

    def build(self) -> None:
        """Compiles both programs, and runs them until their command buffers are recorded and updated."""
        for way in WAYS:
            self.time(way, self._loop_steps)

    def time(self, way: str, steps: int) -> list[float]:
        """Milliseconds per step: one value per step for "waited", else one value for all steps."""
        self._wait()
        if way == "waited":
            return [self._timed(lambda: self._run(self._step, 1), 1) for _ in range(steps)]
        if way == "ahead":
            return [self._timed(lambda: self._run(self._step, steps), steps)]
        rounds = max(1, steps // self._loop_steps)
        return [self._timed(lambda: self._run(self._loop, rounds), rounds * self._loop_steps)]

    def prefill(self, length: int, times: int) -> list[float]:
        """Milliseconds until the token after a prompt of `length` tokens is known; the first call compiles."""
        tokens = jnp.arange(self._config.batch * length, dtype=jnp.int32) % self._config.vocab
        prompts = tokens.reshape(self._config.batch, length)
        return [self._timed(lambda: self._run_prefill(prompts), 1) for _ in range(times)]

    def _run_prefill(self, tokens: jax.Array) -> None:
        first, _, self._cache = self._prefill(self._params, self._cache, tokens)
        first.block_until_ready()

    def logits(self, steps: int, tokens: list[list[int]] | None) -> tuple[list[list[int]], np.ndarray]:
        """Decodes from position 0 on.

        Args:
          steps: how many.
          tokens: int[steps, batch], fed to the steps in place of what they choose: row i is the input of step i + 1.
            None: each step's choice is the next one's input.

        Returns:
          the tokens that each step chose, int[steps, batch], and its logits, f32[steps, batch, vocab].
        """
        (now, _), cache = self._begin()
        chosen, logits = [], []
        for position in range(steps):
            taken = now if tokens is None or position == 0 else jnp.asarray(tokens[position - 1], jnp.int32)
            now, out, cache = self._logits_step(self._params, cache, taken, jnp.int32(position))
            chosen.append(np.asarray(now).tolist())
            logits.append(np.asarray(out))
        return chosen, np.stack(logits)

    def _timed(self, run: Callable[[], None], steps: int) -> float:
        start = time.perf_counter()
        run()
        self._wait()
        return (time.perf_counter() - start) * 1e3 / steps

    def _run(self, jitted: Callable[..., Any], times: int) -> None:
        for _ in range(times):
            self._last, self._cache = jitted(self._params, self._last, self._cache)

    def _wait(self) -> None:
        self._last[0].block_until_ready()

    def _jit(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(function, donate_argnums=self._donated, out_shardings=self._shardings)

    def _start(self) -> tuple[Last, models.Cache]:
        tokens = jnp.arange(self._config.batch, dtype=jnp.int32)
        return (tokens, jnp.int32(0)), models.empty_cache(self._config)

    def _one_step(self, params: models.Params, last: Last, cache: models.Cache) -> tuple[Last, models.Cache]:
        tokens, position = last
        tokens, _, cache = models.decode_step(self._config, params, cache, tokens, position)
        return (tokens, (position + 1) % self._config.max_len), cache

    def _many_steps(self, params: models.Params, last: Last, cache: models.Cache) -> tuple[Last, models.Cache]:
        return jax.lax.fori_loop(0, self._loop_steps, lambda _, now: self._one_step(params, *now), (last, cache))


def serve(job: Job, requests: TextIO, answers: TextIO) -> None:
    """Answers requests until they end.

    Args:
      job: the task.
      requests: see the module's docstring.
      answers: see the module's docstring.
    """
    start = time.perf_counter()
    decoder = Decoder(job)
    _answer(answers, {"seconds": round(time.perf_counter() - start, 1)} | _facts())
    for line in requests:
        request = json.loads(line)
        start = time.perf_counter()
        if request["do"] == "build":
            decoder.build()
            _answer(answers, {"seconds": round(time.perf_counter() - start, 1)})
        elif request["do"] == "time":
            _answer(answers, {"ms": decoder.time(request["way"], request["steps"])})
        elif request["do"] == "prefill":
            _answer(answers, {"ms": decoder.prefill(request["tokens"], request["times"])})
        elif request["do"] == "logits":
            tokens, logits = decoder.logits(request["steps"], request["tokens"])
            if job.rank == 0:
                np.save(request["file"], logits)
            _answer(answers, {"tokens": tokens})
        else:
            _answer(answers, _profile(job, decoder, request["way"], request["steps"]))


def _profile(job: Job, decoder: Decoder, way: str, steps: int) -> dict[str, Any]:
    """Rank 0 profiles one of its devices; the others only run the steps."""
    from jax_oneshot import device_trace
    from jax_oneshot.benchmarks.decode import trace

    if job.rank != 0:
        decoder.time(way, steps)
        return {}
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            decoder.time(way, steps)
        return trace.summary(device_trace.read(folder), steps)


def _facts() -> dict[str, Any]:
    device = jax.devices()[0]
    return {
        "jax": jax.__version__,
        "platform_version": device.client.platform_version,
        "device": device.device_kind,
        "devices": len(jax.devices()),
    }


def _answer(answers: TextIO, value: dict[str, Any]) -> None:
    print(json.dumps(value), file=answers, flush=True)


def main() -> None:
    """Serves standard input."""
    job = Job(**json.loads(sys.argv[1]))
    if job.coordinator:
        jax.distributed.initialize(
            job.coordinator, job.processes, job.rank, local_device_ids=[0], shutdown_timeout_seconds=_SHUTDOWN_S
        )
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps prints of libraries out of the answers
    serve(job, sys.stdin, answers)


if __name__ == "__main__":
    main()
