# SPDX-License-Identifier: Apache-2.0
"""Plots a results file of `bench decode`: a step's time as bars, by model and way of driving, as an SVG file beside it.

    python -m jax_oneshot.benchmarks.decode.plot benchmarks/results/step-h200-tp4-each-xla-0.11.2.json

Needs matplotlib (requirements/plot.txt).
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from jax_oneshot.benchmarks import svg
from jax_oneshot.benchmarks.decode import WAYS, figures, sizes

_COLOURS = {"off": "#888888", "off, NCCL in graphs": "#7b3294", "off, NCCL alone": "#c2a5cf", "on": "#1b6ca8"}


def draw(path: pathlib.Path) -> pathlib.Path:
    """Draws the file's times; returns the picture's path.

    Raises:
      ImportError: matplotlib is not installed.
      KeyError, ValueError: the file is not a results file of this benchmark.
    """
    shown = bars(json.loads(path.read_text()))
    if not shown:
        raise ValueError(f"{path} has no decoding steps to draw")
    figure, axes = svg.pyplot().subplots(1, len(shown), figsize=(max(4.0, 2.2 * len(shown)), 2.8), squeeze=False)
    for axis, (name, times) in zip(axes[0], shown.items(), strict=True):
        _draw_one(axis, name, times)
    axes[0][0].set_ylabel("ms per step")
    drawn = [axis.get_legend_handles_labels() for axis in axes[0]]
    labels = {label: handle for handles, names in drawn for handle, label in zip(handles, names, strict=True)}
    figure.legend(labels.values(), labels.keys(), loc="upper center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.9))
    return svg.save(figure, path, "jax-oneshot bench decode")


def bars(results: dict[str, Any]) -> dict[str, dict[str, dict[str, tuple[float, float, float]]]]:
    """Model -> variant -> way of driving -> (median, low, high), in ms per step.

    One run per model: the one that donates the cache, else the one that donates all. Of several variants that are on,
    the one that the pass's rule chooses.
    """
    out: dict[str, dict[str, dict[str, tuple[float, float, float]]]] = {}
    runs = {name: one for name, one in results["details"].items() if isinstance(one, dict) and "variants" in one}
    for donate in ("cache", "all"):
        for name, result in runs.items():
            model, _, rest = name.partition(",")
            kind = sizes.TITLES[model] + (f",{rest}" if "batch" in rest else "")
            if result["donate"] == donate and not result["flags"] and "calls per graph" not in rest and kind not in out:
                out[kind] = _times(result)
    return out


def _times(result: dict[str, Any]) -> dict[str, dict[str, tuple[float, float, float]]]:
    shown = {name: one for name, one in result["variants"].items() if name.startswith(figures.OFF)}
    shown[figures.ON] = result["variants"][figures.shipped_variant(result)]
    return {
        name: {way: (ms["median"], ms["low"], ms["high"]) for way, ms in one["ms"].items()}
        for name, one in shown.items()
    }


def _draw_one(axis: Any, title: str, times: dict[str, dict[str, tuple[float, float, float]]]) -> None:
    width = 0.8 / len(times)
    for number, (variant, ways) in enumerate(times.items()):
        middle = [place + (number - (len(times) - 1) / 2) * width for place in range(len(WAYS))]
        height = [ways[way][0] for way in WAYS]
        error = [[ways[way][0] - ways[way][1] for way in WAYS], [ways[way][2] - ways[way][0] for way in WAYS]]
        axis.bar(middle, height, width, yerr=error, color=_COLOURS[variant], label=variant, error_kw={"linewidth": 0.6})
    axis.set_title(title, fontsize=8)
    axis.set_xticks(range(len(WAYS)), labels=list(WAYS))
    axis.grid(axis="y", alpha=0.3, linewidth=0.5)


if __name__ == "__main__":
    print(draw(pathlib.Path(sys.argv[1])))
