# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot bench decode`: measures each model in turn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jax_oneshot.benchmarks.arguments import counts, positive
from jax_oneshot.benchmarks.decode import sizes
from jax_oneshot.benchmarks.decode.variants import Variant, known, plugin_version, with_calls_per_graph

if TYPE_CHECKING:
    from jax_oneshot.benchmarks.decode.fleet import Layout

_CPU_RANKS = 8


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """The flags that only `decode` has."""
    group.add_argument(
        "--model", action="append", choices=tuple(sizes.TRUE), help="one model; repeat for more (default: all of them)"
    )
    group.add_argument(
        "--size",
        choices=sizes.SIZES,
        default="true",
        help="true: full size; tiny: small models with the same structure (default: true)",
    )
    group.add_argument("--layers", type=positive, metavar="N", help="number of layers (default: the model's own)")
    group.add_argument("--batch", type=positive, metavar="N", help="number of sequences (default: 8)")
    group.add_argument(
        "--context", type=positive, default=1024, metavar="N", help="positions in the KV cache (default: 1024)"
    )
    group.add_argument(
        "--steps", type=positive, default=64, metavar="N", help="steps per turn, for each way of driving (default: 64)"
    )
    group.add_argument(
        "--variants",
        metavar="NAME;...",
        help="only these, separated by semicolons, such as 'off;on'; the first is the baseline "
        "(default: all that this machine and XLA version support)",
    )
    group.add_argument(
        "--graph-calls",
        type=counts,
        default=[],
        metavar="N,...",
        help="also measure with JAX_ONESHOT_GRAPH_CALLS set to each of these",
    )
    group.add_argument(
        "--donate",
        choices=("all", "cache", "none"),
        default="cache",
        help="arguments that a step donates; buffers that are not donated move at every step, and XLA must update the "
        "CUDA graphs that use them (default: cache)",
    )
    group.add_argument("--xla-flags", default="", metavar="FLAGS", help="added to every variant's XLA_FLAGS")
    group.add_argument(
        "--tokens",
        action="store_true",
        help="instead of times: how near logits and tokens, off and on, are to float32's (default: 4 layers)",
    )
    group.add_argument(
        "--prompts",
        type=counts,
        default=[],
        metavar="LENGTH,...",
        help="instead of steps: the time to the first token of prompts of these lengths (--batch: default 1)",
    )
    group.add_argument("--no-profile", dest="profile", action="store_false", help="do not profile")
    group.add_argument(
        "--limit",
        type=positive,
        default=300,
        metavar="SECONDS",
        help="time limit for each answer of a process (default: 300)",
    )


def measure(arguments: argparse.Namespace, progress: Callable[[str], None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (name, result) for each model: measure.measure's with "floor_us"; tokens.compare's or prompts.measure's.

    Raises:
      ValueError: flags contradict each other, or this machine lacks what they name.
      WorkerError: a model does not run with the pass off.
    """
    from jax_oneshot.benchmarks.decode import tokens

    layout = _layout(arguments)
    for name in arguments.model or sizes.TRUE:
        layers = arguments.layers or (tokens.LAYERS if arguments.tokens else None)
        batch = arguments.batch or (1 if arguments.prompts else 8)
        context = max([arguments.context, *arguments.prompts])
        model = sizes.model(name, arguments.size, batch=batch, context=context, layers=layers)

        def told(text: str, name: str = name) -> None:
            progress(f"decode: {name}: {text}")

        yield name, _measure_model(arguments, layout, model, told)


def _measure_model(
    arguments: argparse.Namespace, layout: Layout, model: dict[str, Any], told: Callable[[str], None]
) -> dict[str, Any]:
    from jax_oneshot.benchmarks.decode import measure, prompts, tokens

    flags, limit_s = arguments.xla_flags.split(), arguments.limit
    if arguments.tokens:
        return tokens.compare(tokens.Request(model, layout, flags, limit_s), told)
    variants = _variants(arguments, layout.platform)
    if arguments.prompts:
        asked = prompts.Request(model, layout, variants, flags, arguments.prompts, arguments.rounds, limit_s)
        return prompts.measure(asked, told)
    request = measure.Request(
        model=model,
        layout=layout,
        variants=variants,
        flags=flags,
        donate=arguments.donate,
        rounds=arguments.rounds,
        steps=arguments.steps,
        profile=arguments.profile,
        limit_s=limit_s,
    )
    result = measure.measure(request, told)
    floor = measure.floor_us(layout, model["batch"], model["hidden"]) if arguments.profile else None
    return result | {"floor_us": floor}


def _layout(arguments: argparse.Namespace) -> Layout:
    from jax_oneshot.benchmarks.decode.fleet import Layout
    from jax_oneshot.nvidia_driver import gpu_count

    gpus = gpu_count()
    if gpus == 0 and arguments.size == "true":
        raise ValueError("no GPU here, and models of true size take GPUs; to try it on CPU devices: --size tiny")
    place = arguments.gpus or ("each" if gpus else "together")
    if place == "one" or (place == "each" and gpus == 0):
        raise ValueError(f"decode has no --gpus {place} here; expected {'each or ' if gpus else ''}together")
    ranks = arguments.ranks or [gpus or _CPU_RANKS]
    if len(ranks) > 1 or ranks[0] < 2:
        raise ValueError(f"decode takes one number of ranks, at least 2; got {', '.join(map(str, ranks))}")
    return Layout(ranks[0], place, "cuda" if gpus else "cpu")


def _variants(arguments: argparse.Namespace, platform: str) -> list[Variant]:
    """All variants, or those asked for, in that order; then those with another number of calls per graph."""
    variants = known(platform, plugin_version())
    chosen = list(variants.values())
    if arguments.variants:
        names = [name.strip() for name in arguments.variants.split(";")]
        unknown = [name for name in names if name not in variants]
        if unknown:
            raise ValueError(f"no variant {unknown[0]!r} here; known: {'; '.join(variants)}")
        chosen = [variants[name] for name in names]
    return chosen + [with_calls_per_graph(calls) for calls in arguments.graph_calls]
