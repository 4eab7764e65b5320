# SPDX-License-Identifier: Apache-2.0
"""Plots a results file of the kernel benchmark: time against rows, as an SVG file beside it.

    python -m jax_oneshot.benchmarks.kernel_plot benchmarks/results/kernel-h200.json

Needs matplotlib (requirements/plot.txt); nothing else here does.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from jax_oneshot.benchmarks import svg

# Curve: (label, colour, dashes). The names are those of details.kernel_us; "public" is the fastest public kernel.
_CURVES = {
    "nccl_two_kernels": ("NCCL, then residual + norm", "#7b3294", "-"),
    "nccl": ("NCCL, all-reduce alone", "#7b3294", ":"),
    "two_kernels": ("all-reduce, then residual + norm", "#888888", "-"),
    "public": ("fastest public fused kernel", "#d95f02", "-"),
    "fused": ("jax-oneshot, fused", "#1b6ca8", "-"),
    "plain": ("jax-oneshot, all-reduce alone", "#1b6ca8", ":"),
    "push_poll": ("floor: 16 bytes to each rank", "#555555", ":"),
}


def draw(path: pathlib.Path) -> pathlib.Path:
    """Draws the file's times; returns the picture's path.

    Raises:
      ImportError: matplotlib is not installed.
      KeyError, ValueError: the file is not a results file of this benchmark.
    """
    results = json.loads(path.read_text())
    times = curves(results)
    ranks, widths = list(times), list(next(iter(times.values())))
    figure, axes = svg.pyplot().subplots(
        len(widths), len(ranks), figsize=(8, 2.1 * len(widths)), sharex=True, sharey="col", squeeze=False
    )
    for row, width in enumerate(widths):
        for column, group in enumerate(ranks):
            _draw_one(axes[row][column], times[group].get(width, {}), f"{group} ranks, H = {width}")
    for axis in axes[-1]:
        axis.set_xlabel("rows")
    for line in axes:
        line[0].set_ylabel("µs per call")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.93))
    where = results["machine"]["gpu"] + (", a GPU per rank" if results["machine"].get("gpus") == "each" else "")
    return svg.save(figure, path, f"jax-oneshot bench kernel on {where}")


def curves(results: dict[str, Any]) -> dict[str, dict[str, dict[str, list[tuple[int, float]]]]]:
    """Ranks -> width -> curve -> (rows, microseconds), in the order of the file."""
    details = results["details"]
    public = details.get("public_us", {})
    out: dict[str, dict[str, dict[str, list[tuple[int, float]]]]] = {}
    for ranks, shapes in details["kernel_us"].items():
        for shape, own in shapes.items():
            rows, width = shape.split("x")
            of_shape = dict(own)
            if public.get(ranks, {}).get(shape):
                of_shape["public"] = min(public[ranks][shape].values())
            for name in _CURVES.keys() & of_shape.keys():
                points = out.setdefault(ranks, {}).setdefault(width, {}).setdefault(name, [])
                points.append((int(rows), of_shape[name]))
    return out


def _draw_one(axis: Any, times: dict[str, list[tuple[int, float]]], title: str) -> None:
    for name, (label, colour, dashes) in _CURVES.items():
        points = sorted(times.get(name, []))
        if points:
            axis.plot(*zip(*points, strict=True), dashes, color=colour, label=label, marker=".", linewidth=1.2)
    axis.set_title(title, fontsize=8)
    axis.set_xscale("log", base=2)
    axis.set_xticks([1, 8, 16, 32, 64], labels=["1", "8", "16", "32", "64"])
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3, linewidth=0.5)


if __name__ == "__main__":
    print(draw(pathlib.Path(sys.argv[1])))
