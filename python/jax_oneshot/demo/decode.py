# SPDX-License-Identifier: Apache-2.0
"""One process of the demo: builds a decoder on 8 virtual CPU devices, then answers requests on its standard input.

argv[1]: the model's configuration as JSON.
stdin:   requests, one JSON object per line:
             {"do": "decode", "steps": 32, "save": "run.npz"}    greedy decoding; saves tokens and logits of every step
             {"do": "time", "steps": 20}                         the same steps, only timed
stdout:  an answer to each, one JSON object per line; one more, sent before any request, says that the step is compiled.

The demo's two processes differ only in JAX_ONESHOT. Other models are compared by calling `serve` with a `Decoder` of
their own.
"""

import dataclasses
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import jax
import jax.numpy as jnp
import numpy as np

from jax_oneshot.demo import models, weights

# step(cache, tokens int32[batch], position int32[]) -> (next tokens, logits f32[batch, vocab], cache)
Step = Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, jax.Array, Any]]


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A compiled step and its initial state.

    Attributes:
      step: one decoding step; may donate the cache.
      empty_cache: creates the cache of a new sequence.
      first_tokens: int32[batch].
      max_len: how many steps fit into the cache.
    """

    step: Step
    empty_cache: Callable[[], Any]
    first_tokens: jax.Array
    max_len: int


def build(config: models.ModelConfig, seed: int = 0) -> Decoder:
    """The demo's own model, compiled for all of this process's devices."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("tp",))
    abstract = abstract_arguments(config, mesh)
    params = weights.place(weights.init_params(config, seed), abstract[0])
    step = jit_step(config).lower(*abstract).compile()
    tokens = np.random.default_rng(seed).integers(0, config.vocab, config.batch, dtype=np.int32)
    return Decoder(
        step=functools.partial(step, params),
        empty_cache=lambda: weights.place(models.empty_cache(config), abstract[1]),
        first_tokens=weights.place(tokens, abstract[2]),
        max_len=config.max_len,
    )


def jit_step(config: models.ModelConfig) -> Any:
    """The jitted step as users write it, with the cache donated."""

    def decode_step(params: Any, cache: Any, tokens: jax.Array, position: jax.Array) -> Any:
        return models.decode_step(config, params, cache, tokens, position)

    decode_step.__name__ = f"{config.name.replace('-', '_')}_step"  # becomes the module's name
    return jax.jit(decode_step, donate_argnums=(1,))


def abstract_arguments(config: models.ModelConfig, mesh: jax.sharding.Mesh) -> tuple[Any, ...]:
    """(params, cache, tokens, position) as ShapeDtypeStructs on `mesh`."""
    return (
        weights.abstract_params(config, mesh),
        weights.abstract_cache(config, mesh),
        weights.replicated(mesh, (config.batch,), jnp.int32),
        weights.replicated(mesh, (), jnp.int32),
    )


def serve(make_decoder: Callable[[], Decoder], requests: TextIO, answers: TextIO) -> None:
    """Answers requests until they end.

    Args:
      make_decoder: compiles the model.
      requests: see the module's docstring.
      answers: see the module's docstring.
    """
    start = time.perf_counter()
    decoder = make_decoder()
    for _ in _decode(decoder, 2):  # the first steps also start threads and touch memory
        pass
    _answer(answers, {"ready": True, "seconds": time.perf_counter() - start})
    for line in requests:
        request = json.loads(line)
        steps = min(request["steps"], decoder.max_len)
        if request["do"] == "time":
            _answer(answers, {"step_ms": list(_time_steps(decoder, steps))})
        else:
            _answer(answers, _save(decoder, steps, request["save"]))


def _decode(decoder: Decoder, steps: int) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Yields (tokens, logits) of each step, without waiting for them."""
    cache, tokens = decoder.empty_cache(), decoder.first_tokens
    for position in range(steps):
        tokens, logits, cache = decoder.step(cache, tokens, _position(tokens, position))
        yield tokens, logits


def _time_steps(decoder: Decoder, steps: int) -> Iterator[float]:
    """Milliseconds of each step, from its dispatch until the next tokens are ready."""
    cache, tokens = decoder.empty_cache(), decoder.first_tokens
    for position in [_position(tokens, position) for position in range(steps)]:
        start = time.perf_counter()
        tokens, _, cache = decoder.step(cache, tokens, position)
        tokens.block_until_ready()
        yield (time.perf_counter() - start) * 1e3


def _position(tokens: jax.Array, position: int) -> jax.Array:
    placed: jax.Array = jax.device_put(np.int32(position), tokens.sharding)
    return placed


def _save(decoder: Decoder, steps: int, path: str) -> dict[str, Any]:
    done = [(np.asarray(tokens), np.asarray(logits, np.float32)) for tokens, logits in _decode(decoder, steps)]
    np.savez(path, tokens=np.stack([one[0] for one in done]), logits=np.stack([one[1] for one in done]))
    return {"saved": path, "steps": steps}


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serves the demo's own model."""
    config = models.ModelConfig(**json.loads(sys.argv[1]))
    serve(lambda: build(config), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
