# SPDX-License-Identifier: Apache-2.0
"""Measure jax-oneshot: tables on the screen, figures in a JSON file.

    pass    time of the pass against module size, and its share of a real compile
    cpu     all-reduce + residual + RMSNorm on 8 CPU devices, fused against XLA:CPU's own
    demo    a decoding step of the demo's models, on against off, with the norms' weights replicated and sharded
    import  start-up cost of a process that does not use jax-oneshot
    kernel  the CUDA kernel with several ranks on this machine's GPU, against its parts, its floor and other kernels;
            with --gpus each, one GPU per rank, and against NCCL too. Writes files of its own. It needs a source tree,
            where `make bench` builds its native module; left out of `all` if there is no GPU, or no such module
    decode  a decoding step of full-size models on this machine's GPUs, off and on and with XLA's alternatives, driven
            in three ways, and where the time goes; a file per number of GPUs. It takes minutes per model, so it is left
            out of `all`. Without a GPU: on CPU devices, with --size tiny

The three ways of `decode`: `loop`: many steps in one jitted loop; `ahead`: a call per step, waiting only for the last;
`waited`: a call per step, waiting for each.

Off and on always alternate within one run. Absolute times hold for this machine only; ratios carry over better.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table

from jax_oneshot.benchmarks.arguments import numbers, positive, shapes
from jax_oneshot.native import NativeMissingError, has_bench
from jax_oneshot.nvidia_driver import gpu_count

if TYPE_CHECKING:
    from jax_oneshot.demo.compare import Comparison

_DEFAULT_OUT = pathlib.Path("benchmarks/results/cpu.json")


@dataclasses.dataclass(frozen=True)
class Figures:
    """One benchmark's results: `ratios` and `details` for the JSON file, and a table for the terminal."""

    ratios: Mapping[str, Any]
    details: Mapping[str, Any]
    title: str
    table: RenderableType
    note: str = ""
    file: pathlib.Path | None = None  # instead of the default one
    stamp: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # for results.merge: `where` and `what`


Progress = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of `bench`."""
    from jax_oneshot.benchmarks.decode import command

    parser.add_argument(
        "what", nargs="?", choices=(*_BENCHMARKS, "all"), default="all", help="which benchmark (default: all)"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="FILE",
        help=f"results file to merge into (default: {_DEFAULT_OUT}; kernel: kernel-GPU.json in the same folder)",
    )
    parser.add_argument("--rounds", type=positive, default=7, help="rounds per measurement (default: 7)")
    parser.add_argument(
        "--competitor",
        action="append",
        default=[],
        metavar="LIBRARY",
        help="kernel: also measure this library's kernels (ffi_kernels/cuda/bench/competitor.h)",
    )
    parser.add_argument(
        "--gpus",
        choices=("one", "each", "together"),
        help="kernel: one GPU for all ranks (default), or one each with peer access; decode: a process per GPU (each, "
        "the default) or a single process (together)",
    )
    parser.add_argument(
        "--no-nccl", dest="nccl", action="store_false", help="kernel, with --gpus each: do not start NCCL"
    )
    parser.add_argument(
        "--methods",
        type=_methods,
        default=[],
        metavar="NAME,...",
        help="kernel: only these methods; competitors are always measured (default: all)",
    )
    parser.add_argument(
        "--ranks",
        type=numbers,
        metavar="N,...",
        help="kernel: numbers of ranks (default: those of 2, 4 and 8 that the GPUs allow); decode: one number "
        "(default: number of GPUs)",
    )
    parser.add_argument(
        "--shapes",
        type=shapes,
        metavar="ROWSxWIDTH,...",
        help="kernel: only these shapes; replaces the whole table in the results file, so use --out",
    )
    command.add_arguments(parser.add_argument_group("decode"))


def run(arguments: argparse.Namespace) -> int:
    """Runs the chosen benchmarks; returns 1 if one of them fails or the file cannot be written."""
    from jax_oneshot.demo.compare import WorkerError

    console = Console(stderr=True)
    try:
        for name in _chosen(arguments.what, console):
            _run_one(name, arguments, console)
    except (OSError, ValueError, WorkerError, NativeMissingError) as error:
        console.print(f"jax-oneshot bench: {error}", style="red", markup=False, highlight=False)
        return 1
    return 0


def _chosen(what: str, console: Console) -> tuple[str, ...]:
    if what != "all":
        return (what,)
    left_out = {"decode"}
    if gpu_count() == 0:
        console.print("no GPU here: leaving out kernel")
        left_out.add("kernel")
    elif not has_bench():
        console.print("leaving out kernel: its native module is not in wheels; `make bench` in a source tree builds it")
        left_out.add("kernel")
    return tuple(name for name in _BENCHMARKS if name not in left_out)


def _run_one(name: str, arguments: argparse.Namespace, console: Console) -> None:
    with console.status(name) as status:

        def progress(text: str) -> None:
            status.update(text)

        if not console.is_terminal:
            console.print(f"measuring: {name}")
        load = os.getloadavg()[0]  # of the minute before: the load of other processes
        for figures in _BENCHMARKS[name](arguments, progress):
            _show_and_keep(figures, arguments.out, {f"load_before_{name}": round(load, 1)}, console)


def _show_and_keep(figures: Figures, out_file: pathlib.Path | None, more: Mapping[str, Any], console: Console) -> None:
    from jax_oneshot.benchmarks import results

    out = Console()
    # Printed apart, since rich wraps a table's own title to the width of the table.
    out.print(figures.title, style="bold", highlight=False)
    out.print(figures.table)
    if figures.note:
        out.print(figures.note, markup=False, highlight=False, soft_wrap=True)
    details = {**figures.details, **more}
    path = out_file or figures.file or _DEFAULT_OUT
    if results.merge(path, figures.ratios, details, **figures.stamp):
        console.print(f"{path} held figures of another machine or version; they are dropped", style="yellow")
    print(f"Figures in {path}", file=sys.stderr)


def _bench_pass(arguments: argparse.Namespace, progress: Progress) -> Figures:
    from jax_oneshot.benchmarks import compile_share, pass_time

    times = pass_time.measure(arguments.rounds, progress)
    shares, missing = compile_share.measure(progress)
    table = _table("instructions", "all-reduces fused", "ms", "ms per 10k")
    for time in times:
        table.add_row(str(time.instructions), str(time.fused), f"{time.pass_ms:.2f}", f"{time.ms_per_10k:.2f}")
    lines = [
        f"Of a compile of the demo's gemma2 for {share.platform}: {share.pass_ms:.1f} ms of {share.compile_ms:.0f} ms, "
        f"{share.percent:.2f} %"
        for share in shares
    ]
    return Figures(
        ratios={
            "pass_ms_per_10k_instructions": {str(time.instructions): round(time.ms_per_10k, 3) for time in times},
            "pass_percent_of_compile": {share.platform: round(share.percent, 3) for share in shares},
        },
        details={
            "pass": [dataclasses.asdict(time) for time in times],
            "compile": [dataclasses.asdict(share) for share in shares],
        },
        title="The pass against the size of the module",
        table=table,
        note="\n".join([*lines, *filter(None, [missing])]),
    )


def _bench_cpu(arguments: argparse.Namespace, progress: Progress) -> Figures:
    from jax_oneshot.benchmarks import cpu_exchange

    exchanges = cpu_exchange.measure(arguments.rounds, progress)
    table = _table("rows x H", "XLA us", "fused us", "faster")
    for one in exchanges:
        table.add_row(one.name, f"{one.xla_us:.0f}", f"{one.fused_us:.0f}", f"{one.ratio:.1f}x")
    return Figures(
        ratios={"cpu_fused_vs_xla": {one.name: round(one.ratio, 2) for one in exchanges}},
        details={"cpu_us": {one.name: {"xla": one.xla_us, "fused": one.fused_us} for one in exchanges}},
        title="All-reduce + residual + RMSNorm, bf16, 8 CPU devices",
        table=table,
    )


def _bench_demo(arguments: argparse.Namespace, progress: Progress) -> Figures:
    whole = _compare_demo(arguments.rounds, progress, shard_norms=False)
    sharded = _compare_demo(arguments.rounds, progress, shard_norms=True)
    table = _table("model", "off ms", "on ms", "faster", "tokens equal")
    for one in (*whole.values(), *sharded.values()):
        equal = "yes" if one.tokens_equal else "NO"
        table.add_row(one.name, f"{one.off_ms:.2f}", f"{one.on_ms:.2f}", f"{one.ratio:.2f}x", equal)
    both = {"demo": whole, "sharded_demo": sharded}
    return Figures(
        ratios={
            f"{key}_step_on_vs_off": {name: round(one.ratio, 2) for name, one in of.items()} for key, of in both.items()
        },
        details={
            f"{key}_ms": {name: {"off": one.off_ms, "on": one.on_ms} for name, one in of.items()}
            for key, of in both.items()
        },
        title="A decoding step of the demo's models, on against off",
        table=table,
    )


def _compare_demo(rounds: int, progress: Progress, *, shard_norms: bool) -> dict[str, Comparison]:
    """Comparisons by variant."""
    from jax_oneshot.commands import demo
    from jax_oneshot.demo import compare

    done = {}
    for variant in demo.VARIANTS:
        config = demo.model_config(variant, shard_norms=shard_norms)

        def told(text: str, name: str = config.name) -> None:
            progress(f"demo: {name}: {text}")

        command = compare.worker_command(config)
        done[variant] = compare.compare(config.name, command, steps=32, rounds=rounds, progress=told)
    return done


def _bench_import(arguments: argparse.Namespace, progress: Progress) -> Figures:
    from jax_oneshot.benchmarks import start_up

    progress("import")
    milliseconds = start_up.measure(arguments.rounds)
    table = _table("ms")
    table.add_row(f"{milliseconds:.2f}")
    title = "Start-up cost with JAX_ONESHOT unset"
    return Figures(ratios={"import_ms": round(milliseconds, 3)}, details={}, title=title, table=table)


def _bench_kernel(arguments: argparse.Namespace, progress: Progress) -> Figures:
    from jax_oneshot.benchmarks import kernel_exchange, kernel_tables

    gpus = arguments.gpus or "one"
    if gpus not in kernel_exchange.GPUS:
        raise ValueError(f"--gpus {gpus} is for decode; for kernel: {' or '.join(kernel_exchange.GPUS)}")
    request = kernel_exchange.Request(gpus, arguments.competitor, arguments.ranks, nccl=arguments.nccl)
    request = dataclasses.replace(request, methods=arguments.methods)
    if arguments.shapes:
        request = dataclasses.replace(request, shapes=arguments.shapes)
    device, exchanges = kernel_exchange.measure(request, arguments.rounds, progress)
    placed = "all ranks on the one device" if gpus == "one" else "a GPU per rank"
    return Figures(
        ratios=kernel_exchange.ratios(exchanges),
        details=kernel_exchange.details(exchanges),
        title=f"Microseconds per call on {device['gpu']}, bf16, {placed}",
        table=Group(
            *(
                table
                for ranks, members in kernel_exchange.groups(exchanges)
                for table in kernel_tables.tables(ranks, members)
            )
        ),
        note=kernel_tables.legend(exchanges),
        file=_DEFAULT_OUT.with_name(kernel_tables.file_name(device["gpu"], gpus)),
        stamp=kernel_exchange.stamp(device, gpus),
    )


def _bench_decode(arguments: argparse.Namespace, progress: Progress) -> Iterator[Figures]:
    """Yields each model's figures when they are complete, so that they are kept if the next model fails."""
    from jax_oneshot.benchmarks.decode import command, figures

    for name, result in command.measure(arguments, progress):
        yield Figures(
            ratios={figures.key(name, result): figures.ratios(result)},
            details={figures.key(name, result): result},
            title=figures.title(figures.key(name, result), result),
            table=Group(*figures.tables(result)),
            note=figures.note(result),
            file=_DEFAULT_OUT.with_name(figures.file_name(result)),
            stamp=figures.stamp(result),
        )


def _once(
    measure: Callable[[argparse.Namespace, Progress], Figures],
) -> Callable[[argparse.Namespace, Progress], Iterator[Figures]]:
    def measured(arguments: argparse.Namespace, progress: Progress) -> Iterator[Figures]:
        yield measure(arguments, progress)

    return measured


_BENCHMARKS: dict[str, Callable[[argparse.Namespace, Progress], Iterator[Figures]]] = {
    "pass": _once(_bench_pass),
    "cpu": _once(_bench_cpu),
    "demo": _once(_bench_demo),
    "import": _once(_bench_import),
    "kernel": _once(_bench_kernel),
    "decode": _bench_decode,
}


def _table(*columns: str) -> Table:
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    return table


def _methods(text: str) -> list[str]:
    from jax_oneshot.benchmarks.kernel_exchange import METHODS

    names = text.split(",")
    if unknown := [name for name in names if name not in METHODS]:
        raise argparse.ArgumentTypeError(f"no method is called {', '.join(unknown)}; known: {', '.join(METHODS)}")
    return names
