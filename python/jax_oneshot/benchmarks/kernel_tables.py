# SPDX-License-Identifier: Apache-2.0
"""Terminal tables, file name and legend of the kernel benchmark's results."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jax_oneshot.benchmarks.kernel_exchange import METHODS, RATIOS, Exchange

# (column head, method, or ratio after a "/"). A line has room for eighty characters.
_COLUMNS = (
    ("fused", "fused"),
    ("2-kern", "two_kernels"),
    ("3-kern", "three_kernels"),
    ("plain", "plain"),
    ("floor", "push_poll"),
    ("public", "public"),
    ("f/2k", "/fused_vs_unfused"),
    ("f/pl", "/fused_vs_plain"),
    ("p/fl", "/plain_vs_floor"),
    ("f/pub", "/fused_vs_best_public"),
    ("s/co", "/sharded_vs_collectives"),
)
# If two shots were measured: which of the two is faster, and is it faster than others?
_CROSSOVER_COLUMNS = (
    ("one-shot", "fused"),
    ("two-shot", "two_shot"),
    ("public", "public"),
    ("n+norm", "nccl_two_kernels"),
    ("2/1", "/two_shot_vs_one_shot"),
    ("ours/pub", "/ours_vs_best_public"),
    ("ours/nccl", "/ours_vs_nccl"),
)
# If NCCL was measured, its columns replace these.
_NCCL_COLUMNS = {
    "3-kern": ("nccl", "nccl"),
    "public": ("n+norm", "nccl_two_kernels"),
    "f/pub": ("f/nccl", "/fused_vs_nccl"),
    "s/co": ("p/nccl", "/plain_vs_nccl"),
}


def file_name(gpu: str, gpus: str) -> str:
    """The results file: "NVIDIA H200" -> "kernel-h200.json"; with a GPU per rank, "kernel-h200-each.json"."""
    words = [word for word in re.findall(r"[a-z0-9]+", gpu.lower()) if word != "nvidia"]
    return f"kernel-{'-'.join(words + ['each'] * (gpus == 'each'))}.json"


def tables(ranks: int, exchanges: Sequence[Exchange]) -> list[Table]:
    """For one number of ranks: microseconds and ratios by shape; a second table if two shots were measured."""
    crossover = any("two_shot" in one.us for one in exchanges)
    return [
        _table(ranks, exchanges, _columns(exchanges)),
        *([_table(ranks, exchanges, _CROSSOVER_COLUMNS)] if crossover else []),
    ]


def _table(ranks: int, exchanges: Sequence[Exchange], columns: Sequence[tuple[str, str]]) -> Table:
    out = Table(pad_edge=False, padding=(0, 0), box=SIMPLE_HEAD)
    out.add_column(f"{ranks} ranks", no_wrap=True)
    for head, _ in columns:
        out.add_column(head, justify="right")
    for one in exchanges:
        out.add_row(one.name, *(_cell(one, what) for _, what in columns))
    return out


def _columns(exchanges: Sequence[Exchange]) -> list[tuple[str, str]]:
    if any(one.time("nccl") for one in exchanges):
        return [_NCCL_COLUMNS.get(head, (head, what)) for head, what in _COLUMNS]
    return list(_COLUMNS)


def legend(exchanges: Sequence[Exchange]) -> str:
    """Explains the columns; says how often each public kernel is fastest; lists what was skipped, and why."""
    lines = [f"{name}: {text}" for name, text in METHODS.items() if any(name in one.us for one in exchanges)]
    both = dict([*_columns(exchanges), *_CROSSOVER_COLUMNS])
    lines += [f"{head}: {_meaning(what)}" for head, what in both.items() if what not in (head, "public")]
    best = [min(one.public_us, key=one.public_us.__getitem__) for one in exchanges if one.public_us]
    lines += [f"public: {name} is the fastest at {best.count(name)} shapes" for name in dict.fromkeys(best)]
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in exchanges:
        for method, why in one.skipped.items():
            reasons.setdefault((method, why), []).append(f"{one.ranks}x[{one.rows},{one.width}]")
    lines += [f"skipped: {method} at {', '.join(at)}: {why}" for (method, why), at in reasons.items()]
    return "\n".join(lines)


def _meaning(what: str) -> str:
    return " / ".join(RATIOS[what[1:]]) if what.startswith("/") else what


def _cell(one: Exchange, what: str) -> str:
    if what.startswith("/"):
        ratio = one.ratio(what[1:])
        return "" if ratio is None else f"{ratio:.2f}"
    time = one.time(what)
    return "" if time is None else f"{time:.2f}"
