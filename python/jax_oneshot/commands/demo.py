# SPDX-License-Identifier: Apache-2.0
"""Run a tensor-parallel decoder with jax-oneshot off and on, compare tokens and times, and compile it for GPUs.

The model is plain JAX without any use of jax-oneshot: Llama-, Gemma-2- and GPT-2-style blocks, 8-way tensor parallel on
8 virtual CPU devices, bf16, random weights from a fixed seed. Off and on are two processes that differ only in
JAX_ONESHOT. The layers are many and thin, so that a step spends much of its time in all-reduces, as decoding on GPUs
does. Absolute times of virtual CPU devices are meaningless; the ratio is not.

Finally, the same models are compiled for 8 H100s at the widths of Gemma 2 9B; this needs no GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import pathlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table

if TYPE_CHECKING:
    from jax_oneshot.demo.compare import Comparison
    from jax_oneshot.demo.gpu_compile import GpuCompilation
    from jax_oneshot.demo.models import ModelConfig

VARIANTS = ("llama", "llama-scan", "gemma2", "gemma2-scan", "gpt2", "gpt2-scan")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of `demo`."""
    parser.add_argument(
        "--variant", action="append", choices=VARIANTS, help="one model; repeat for more (default: all of them)"
    )
    parser.add_argument("--layers", type=_positive, help="layers (default: 16)")
    parser.add_argument("--hidden", type=_hidden, help="hidden size, a multiple of 8 (default: 256)")
    parser.add_argument("--shard-norms", action="store_true", help="also shard the norms' weights")
    parser.add_argument("--steps", type=_steps, default=32, help="tokens to decode, at most 64 (default: 32)")
    parser.add_argument(
        "--rounds", type=_positive, default=5, help="timing rounds, alternating off and on (default: 5)"
    )
    parser.add_argument("--no-gpu", action="store_true", help="skip the compile for 8 H100s")
    parser.add_argument(
        "--dump",
        type=pathlib.Path,
        metavar="DIR",
        help="folder for HLO, reports and the report page (default: a new one)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(arguments: argparse.Namespace) -> int:
    """Runs the demo; returns 1 if a token differs or a process failed."""
    from jax_oneshot.commands import report
    from jax_oneshot.demo import compare

    out, errors = Console(), Console(stderr=True)
    variants = arguments.variant or list(VARIANTS)
    configs = [
        model_config(name, arguments.layers, arguments.hidden, shard_norms=arguments.shard_norms) for name in variants
    ]
    folder = arguments.dump or pathlib.Path(tempfile.mkdtemp(prefix="jax-oneshot-demo-"))
    try:
        comparisons = _compare_all(configs, arguments, folder, errors)
    except compare.WorkerError as error:
        errors.print(f"jax-oneshot demo: {error}", style="red", markup=False, highlight=False)
        return 1
    if not arguments.json:
        _print_comparisons(out, comparisons, configs[0])
    compilations, missing = ({}, "") if arguments.no_gpu else _compile_all(configs, folder, errors)
    if arguments.json:
        print(json.dumps(_to_json(comparisons, compilations, missing), indent=1))
    elif not arguments.no_gpu:
        _print_compilations(out, compilations, missing)
    errors.print(f"Report: {report.write_page(folder)}", markup=False, highlight=False, soft_wrap=True)
    return 0 if all(comparison.tokens_equal for comparison in comparisons) else 1


def model_config(
    variant: str, layers: int | None = None, hidden: int | None = None, *, shard_norms: bool = False
) -> ModelConfig:
    """Configuration of a variant; sizes not given are the demo's defaults. `hidden` also sets `ffn`."""
    from jax_oneshot.demo.models import ModelConfig

    sizes: dict[str, Any] = {} if layers is None else {"layers": layers}
    if hidden is not None:
        sizes |= {"hidden": hidden, "ffn": hidden}
    family, _, scan = variant.partition("-")
    return ModelConfig(family=family, scan=scan == "scan", shard_norms=shard_norms, **sizes)


def _compare_all(
    configs: Sequence[ModelConfig], arguments: argparse.Namespace, folder: pathlib.Path, errors: Console
) -> list[Comparison]:
    from jax_oneshot.demo import compare

    done = []
    with errors.status("starting") as status:
        for number, config in enumerate(configs, 1):
            prefix = f"{config.name} ({number} of {len(configs)}): "
            done.append(
                compare.compare(
                    config.name,
                    compare.worker_command(config),
                    steps=arguments.steps,
                    rounds=arguments.rounds,
                    progress=functools.partial(_show, status, prefix),
                    keep=folder,
                )
            )
            if not errors.is_terminal:
                errors.print(f"{prefix}done")
    return done


def _show(status: Status, prefix: str, text: str) -> None:
    status.update(prefix + text)


def _compile_all(
    configs: Sequence[ModelConfig], folder: pathlib.Path, errors: Console
) -> tuple[dict[str, GpuCompilation], str]:
    """(compilations by variant, why the others are missing)."""
    from jax_oneshot.demo import gpu_compile

    done = {}
    with errors.status("compiling for 8 H100s") as status:
        for config in configs:
            status.update(f"{config.name}: compiling for 8 H100s, without a GPU")
            try:
                done[config.name] = gpu_compile.compile_model(gpu_compile.real_widths(config), folder)
            except gpu_compile.GpuCompileError as error:
                return done, str(error)
            if not errors.is_terminal:
                errors.print(f"{config.name}: compiled for 8 H100s")
    return done, ""


def _print_comparisons(out: Console, comparisons: Sequence[Comparison], config: ModelConfig) -> None:
    sizes = f"hidden {config.hidden}, {config.layers} layers, batch {config.batch}, bf16, {comparisons[0].steps} steps"
    out.print(f"Decoding on 8 virtual CPU devices, off and on\n{sizes}", style="bold", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("model", no_wrap=True)
    headings = "all-\nred.|fused|plain|kept|absor-\nbed|tokens\nequal|logit\ndiff.|off\nms|on\nms|faster"
    for heading in headings.split("|"):
        table.add_column(heading, justify="right")
    for one in comparisons:
        counts = [one.verdicts[verdict] for verdict in ("fused", "plain", "kept")]
        equal = "yes" if one.tokens_equal else f"NO, #{one.first_difference}"
        cells = [sum(counts), *counts, one.absorbed, equal, f"{one.max_logit_difference:.1g}"]
        times = [f"{one.off_ms:.1f}", f"{one.on_ms:.1f}", f"{one.ratio:.2f}x"]
        table.add_row(one.name, *map(str, cells), *times)
    out.print(table)
    gap = min(one.smallest_gap for one in comparisons)
    out.print(
        "all-red.: all-reduces in the step (a scanned body's count once); absorbed: instructions that went into the "
        f"calls; logit diff.: largest of all steps, where a token's two best logits are at least {gap:.2g} apart; "
        "ms: median step; faster: off / on. Milliseconds of virtual devices mean nothing beside other machines'.\n",
        highlight=False,
    )


def _print_compilations(out: Console, compilations: dict[str, GpuCompilation], missing: str) -> None:
    from jax_oneshot.demo import compare

    if compilations:
        title = "The same models compiled for 8 H100s by XLA:GPU, no GPU needed\nhidden 3584, as Gemma 2 9B"
        out.print(title, style="bold", highlight=False)
        table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
        table.add_column("model", no_wrap=True)
        for heading in ["all-\nred.", "fused", "plain", "kept", "collectives\nbefore", "collectives\nafter", "compile"]:
            table.add_column(heading, justify="right")
        for name, one in compilations.items():
            verdicts, _ = compare.count_verdicts(one.reports)
            totals = [sum(report[key] for report in one.reports) for key in ("collectives_before", "collectives_after")]
            counts = [sum(verdicts.values()), *verdicts.values(), *totals]
            table.add_row(name, *map(str, counts), f"{one.seconds:.1f} s")
        out.print(table)
        out.print(
            "fused: all-reduces that became part of a one-shot call; plain: a one-shot call with nothing behind it; "
            "collectives: of the whole step, one-shot calls included; compile: with the pass.\n",
            highlight=False,
        )
    if missing:
        out.print(missing, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _to_json(
    comparisons: Sequence[Comparison], compilations: dict[str, GpuCompilation], missing: str
) -> dict[str, Any]:
    return {
        "cpu": [
            {**dataclasses.asdict(one), "tokens_equal": one.tokens_equal, "ratio": one.ratio} for one in comparisons
        ],
        "gpu": {name: dataclasses.asdict(one) for name, one in compilations.items()},
        "gpu_missing": missing,
    }


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return value


def _hidden(text: str) -> int:
    value = _positive(text)
    if value % 8:
        raise argparse.ArgumentTypeError(f"expected a multiple of 8, the number of devices, got {text}")
    return value


def _steps(text: str) -> int:
    value = _positive(text)
    if value > 64:
        raise argparse.ArgumentTypeError(f"expected at most 64, the length of the demo's cache, got {text}")
    return value
