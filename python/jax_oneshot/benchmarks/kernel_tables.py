"""In: what the kernel benchmark measured. Out: its tables for the terminal, the name of its file, and a legend."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.table import Table

from jax_oneshot.benchmarks.kernel_exchange import METHODS, Exchange

# Column: (its head, the method or, after "/", the ratio)
_COLUMNS = (
    ("fused", "fused"),
    ("apart", "apart"),
    ("three", "three"),
    ("plain", "plain"),
    ("floor", "push_poll"),
    ("public", "public"),
    ("f/apart", "/fused_vs_unfused"),
    ("f/plain", "/fused_vs_plain"),
    ("p/floor", "/plain_vs_floor"),
    ("f/public", "/fused_vs_best_public"),
    ("s/apart", "/sharded_vs_collectives"),
)
# Where NCCL was measured its columns take the places of these: a line has room for a hundred characters.
_NCCL_COLUMNS = {
    "three": ("nccl", "nccl"),
    "public": ("n/apart", "nccl_apart"),
    "f/public": ("f/nccl", "/fused_vs_nccl"),
    "s/apart": ("p/nccl", "/plain_vs_nccl"),
}


def file_name(gpu: str, gpus: str) -> str:
    """The results' file: "NVIDIA H200" -> "kernel-h200.json", with a GPU for each rank "kernel-h200-each.json"."""
    words = [word for word in re.findall(r"[a-z0-9]+", gpu.lower()) if word != "nvidia"]
    return f"kernel-{'-'.join(words + ['each'] * (gpus == 'each'))}.json"


def table(ranks: int, exchanges: Sequence[Exchange]) -> Table:
    """One number of ranks: microseconds and ratios by shape."""
    columns: list[tuple[str, str]] = list(_COLUMNS)
    if any(one.time("nccl") for one in exchanges):
        columns = [_NCCL_COLUMNS.get(head, (head, what)) for head, what in _COLUMNS]
    out = Table(pad_edge=False, padding=(0, 1, 0, 0))
    out.add_column(f"{ranks} ranks", no_wrap=True)
    for head, _ in columns:
        out.add_column(head, justify="right")
    for one in exchanges:
        out.add_row(one.name, *(_cell(one, what) for _, what in columns))
    return out


def legend(exchanges: Sequence[Exchange]) -> str:
    """What the columns are; which public kernel is fastest how often; what was skipped, and why."""
    lines = [f"{name}: {text}" for name, text in METHODS.items() if any(name in one.us for one in exchanges)]
    best = [min(one.public_us, key=one.public_us.__getitem__) for one in exchanges if one.public_us]
    lines += [f"public: {name} is the fastest at {best.count(name)} shapes" for name in dict.fromkeys(best)]
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in exchanges:
        for method, why in one.skipped.items():
            reasons.setdefault((method, why), []).append(f"{one.ranks}x[{one.rows},{one.width}]")
    lines += [f"skipped: {method} at {', '.join(at)}: {why}" for (method, why), at in reasons.items()]
    return "\n".join(lines)


def _cell(one: Exchange, what: str) -> str:
    if what.startswith("/"):
        ratio = one.ratio(what[1:])
        return "" if ratio is None else f"{ratio:.2f}"
    time = one.time(what)
    return "" if time is None else f"{time:.2f}"
