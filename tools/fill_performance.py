# SPDX-License-Identifier: Apache-2.0
"""Writes the figures of docs/performance.md from results in benchmarks/results; no figure is typed by hand.

python tools/fill_performance.py            writes docs/performance.md
python tools/fill_performance.py --check    exit status 1 if it would change
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import pages
from absl import app

PAGE = pages.ROOT / "docs/performance.md"
BEGIN = "<!-- figures: written by tools/fill_performance.py from benchmarks/results/kernel-*.json -->\n"
END = "<!-- end of figures -->\n"

LEAST = "least_fused_vs_unfused"  # computed here: fused cannot be faster than plain
# Ratio: (description, goal, largest number of rows that it is for)
GOALS = {
    "fused_vs_unfused": ("fused against all-reduce, then one kernel for residual and norm", 0.4, 8),
    LEAST: ("what that would be if fused took no longer than the all-reduce alone", None, 8),
    "fused_vs_unfused_pdl": ("the same, that kernel launched early as the one-shot kernels are", None, None),
    "fused_vs_three_kernels": ("fused against all-reduce, residual and norm as three kernels", None, None),
    "fused_vs_plain": ("fused against the all-reduce alone", 1.15, None),
    "plain_vs_floor": ("all-reduce against the floor", 1.5, None),
    "plain_vs_floor_pdl": ("all-reduce against the floor launched early", None, None),
    "fused_vs_best_public": ("fused against the fastest public fused kernel", 0.9, None),
    "sharded_vs_collectives": ("the sharded norm in one call against three collectives and what is between", 0.4, None),
    "fused_vs_nccl": ("fused against NCCL's all-reduce, then one kernel for residual and norm", None, None),
    "plain_vs_nccl": ("all-reduce against NCCL's", None, None),
    "two_shot_vs_one_shot": ("fused by two shots against fused by one", None, None),
    "ours_vs_best_public": ("the quicker of the two against the fastest public fused kernel", 0.9, None),
    "ours_vs_nccl": ("the same against NCCL's all-reduce, then one kernel for residual and norm", None, None),
}
METHODS = ("fused", "two_kernels", "three_kernels", "plain", "push_poll", "empty", "sharded", "sharded_collectives")
# A column each, if they were measured.
MORE_METHODS = (
    "two_kernels_pdl",
    "push_poll_pdl",
    "empty_pdl",
    "two_shot",
    "two_shot_plain",
    "nccl",
    "nccl_two_kernels",
    "nccl_three_kernels",
)


def section(name: str, results: dict[str, Any]) -> str:
    """Markdown of one results file. `name`: the file's, without its suffix."""
    machine = results["machine"]
    lines = [
        f"### {machine['gpu']}{', a GPU per rank' if machine.get('gpus') == 'each' else ''}",
        "",
        _measured_with(results),
        "",
        *_goals(results["ratios"] | {LEAST: _least(results["details"]["kernel_us"])}),
        "",
        f"![Microseconds per call over the rows](../benchmarks/results/{name}.svg)",
        "",
    ]
    for ranks, times in results["details"]["kernel_us"].items():
        lines += [f"{ranks} ranks, microseconds per call:", "", *_times(times, _public(results, ranks)), ""]
    return "\n".join(lines)


def _measured_with(results: dict[str, Any]) -> str:
    machine, versions = results["machine"], results["versions"]
    parts = [results["date"], f"driver {versions['driver']}", f"NVRTC {versions['nvrtc']}"]
    parts += [f"NCCL {versions['nccl']}"] if "nccl" in versions else []
    parts += [f"{machine['gpu_count']} GPUs"] if "gpu_count" in machine else []
    return (
        f"{', '.join(parts)}, {machine['multiprocessors']} multiprocessors{' each' if 'gpu_count' in machine else ''}."
    )


def filled(
    page: str,
    results: dict[str, dict[str, Any]],
    larges: dict[str, dict[str, Any]],
    two_shots: dict[str, dict[str, Any]],
) -> str:
    """The page's text with the figures of all files. Raises ValueError if the markers are missing."""
    sections = "\n".join(
        [
            *(section(name, one) for name, one in results.items()),
            *(large(one) for one in larges.values()),
            *(two_shot(one) for one in two_shots.values()),
        ]
    )
    return pages.between(page, "docs/performance.md", (BEGIN, END), f"\n{sections}\n")


def large(results: dict[str, Any]) -> str:
    """Markdown of one results file of messages larger than those of decoding: one shot against NCCL."""
    times = results["details"]["kernel_us"]
    rows = [
        [
            f"{ranks} ranks, {shape}",
            _mebibytes(shape),
            *(_number(us[method]) for method in ("plain", "nccl", "fused", "nccl_two_kernels")),
            _number(us["plain"] / us["nccl"]),
            _number(us["fused"] / us["nccl_two_kernels"]),
        ]
        for ranks, shapes in times.items()
        for shape, us in shapes.items()
    ]
    head = [
        "rows x H",
        "MiB of bf16",
        "plain",
        "nccl",
        "fused",
        "nccl_two_kernels",
        "plain / nccl",
        "fused / nccl_two_kernels",
    ]
    return "\n".join(
        [
            f"### Large messages: {results['machine']['gpu']}, a GPU per rank",
            "",
            _measured_with(results),
            "",
            "Microseconds per call.",
            "",
            *pages.table(head, rows),
            "",
        ]
    )


def two_shot(results: dict[str, Any]) -> str:
    """Markdown of one results file that compares one shot, two shots, NCCL and public kernels."""
    rows = []
    for ranks, shapes in results["details"]["kernel_us"].items():
        for shape, us in shapes.items():
            public = _public(results, ranks).get(shape, {})
            quickest = min(public, key=public.__getitem__, default="")
            ours = min(us["fused"], us["two_shot"])
            sent = sent_mebibytes(int(ranks), shape)
            rows.append(
                [
                    f"{ranks} ranks, {shape}",
                    *(f"{one:.2f}" for one in sent.values()),
                    *(_number(us.get(method)) for method in ("fused", "two_shot", "nccl_two_kernels")),
                    _number(public.get(quickest)),
                    quickest,
                    _number(sent["two_shot"] / us["two_shot"] * (1 << 20) / 1e3),
                    _number(ours / public[quickest] if public else None),
                    _number(ours / us["nccl_two_kernels"] if "nccl_two_kernels" in us else None),
                ]
            )
    head = [
        *("rows x H", "one shot sends, MiB", "two shots send, MiB", "by outputs, MiB"),
        *("fused", "two_shot", "nccl_two_kernels", "best public", "which", "two shots, GB/s", "ours / public"),
        "ours / nccl_two_kernels",
    ]
    return "\n".join(
        [
            f"### One shot and two: {results['machine']['gpu']}, a GPU per rank",
            "",
            _measured_with(results),
            "",
            "Microseconds per call; what one rank sends to others in all, and how quickly by two shots.",
            "",
            *pages.table(head, rows),
            "",
        ]
    )


def sent_mebibytes(ranks: int, shape: str) -> dict[str, float]:
    """MiB that one rank sends to others in one call of all-reduce, residual and norm in bf16, by algorithm.

    "outputs": two shots, if the owner of a row sent its two outputs instead of its sum.
    """
    message = float(_mebibytes(shape))
    share = message * (ranks - 1) / ranks
    return {"one_shot": message * (ranks - 1), "two_shot": 2 * share, "outputs": 3 * share}


def _mebibytes(shape: str) -> str:
    rows, _, width = shape.partition("x")
    return f"{int(rows) * int(width) * 2 / (1 << 20):g}"


def _goals(ratios: dict[str, Any]) -> list[str]:
    rows = []
    for name, (text, goal, most_rows) in GOALS.items():
        shapes = [
            value
            for of_ranks in ratios.get(name, {}).values()
            for shape, value in of_ranks.items()
            if most_rows is None or int(shape.partition("x")[0]) <= most_rows
        ]
        if not shapes:
            continue
        met = "" if goal is None else f"{sum(value <= goal for value in shapes)} of {len(shapes)} shapes"
        said = "" if goal is None else f"at most {goal}" + (f" at rows <= {most_rows}" if most_rows else "")
        rows.append([text, said, *(f"{f(shapes):.2f}" for f in (min, statistics.median, max)), met])
    return pages.table(["ratio of times", "goal", "best", "median", "worst", "met at"], rows)


def _least(times: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        ranks: {
            shape: us["plain"] / us["two_kernels"]
            for shape, us in shapes.items()
            if {"plain", "two_kernels"} <= us.keys()
        }
        for ranks, shapes in times.items()
    }


def _public(results: dict[str, Any], ranks: str) -> dict[str, dict[str, float]]:
    of_ranks: dict[str, dict[str, float]] = results["details"].get("public_us", {}).get(ranks, {})
    return of_ranks


def _times(times: dict[str, dict[str, float]], public: dict[str, dict[str, float]]) -> list[str]:
    methods = [*METHODS, *(name for name in MORE_METHODS if any(name in own for own in times.values()))]
    kernels = list(dict.fromkeys(name for shape in public.values() for name in shape))
    rows = [
        [
            shape,
            *(_number(own.get(method)) for method in methods),
            *(_number(public.get(shape, {}).get(k)) for k in kernels),
        ]
        for shape, own in times.items()
    ]
    return pages.table(["rows x H", *methods, *kernels], rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def main(_: Sequence[str]) -> int:
    """Writes the page, or with --check compares."""
    text = filled(
        PAGE.read_text(), pages.results("kernel-*"), pages.results("large-messages-*"), pages.results("two-shot-*")
    )
    return pages.write({PAGE: text})


if __name__ == "__main__":
    app.run(main)
