# SPDX-License-Identifier: Apache-2.0
"""Writes the table of docs/gpu.md from benchmarks/results/decode-*.json; no figure is typed by hand.

python tools/fill_gpu.py            writes docs/gpu.md
python tools/fill_gpu.py --check    exit status 1 if it would change
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pages
from absl import app

PAGE = pages.ROOT / "docs" / "gpu.md"
MARKERS = (
    "<!-- figures: written by tools/fill_gpu.py from benchmarks/results/decode-*.json -->\n",
    "<!-- end of figures -->\n",
)
RUNS = ("off", "on", "on, no command buffers")

# `gpus` of tests/gpu/tp_decode.py; results from before 2026-11-25 lack it.
GPUS_OF_RANKS = {"one": "on one GPU", "each": "on a GPU each", "together": "on a GPU each, one process"}


def table(results: Iterable[dict[str, Any]]) -> str:
    """Markdown: a row per file, with milliseconds per step of each run."""
    header = ["ranks", *(f"{run}, ms" for run in RUNS), "rewritten", "tokens as on CPU", "measured"]
    rows = []
    for result in results:
        setup, verdicts = result["setup"], result["verdicts"]
        cells = [f"{setup['ranks']} {GPUS_OF_RANKS[setup.get('gpus', 'one')]}: {model_name(setup['model'])}"]
        cells += [_times(result[run]) for run in RUNS]
        cells += [f"{verdicts.get('fused', 0) + verdicts.get('plain', 0)} of {sum(verdicts.values())}"]
        cells += ["yes" if all(result[run]["tokens_equal"] for run in RUNS) else "no"]
        cells += [f"{setup['date']}, {setup['device']}, jax {setup['jax']}{', MPS' if setup['mps'] else ''}"]
        rows.append(cells)
    return "\n".join(pages.table(header, rows)) + "\n"


def _times(run: dict[str, Any]) -> str:
    """Milliseconds, waiting for each step; in brackets, if measured (since 2026-11-25), waiting only for the last."""
    ahead = f" ({run['ahead_ms']:.2f})" if "ahead_ms" in run else ""
    return f"{run['step_ms']:.2f}{ahead}"


def model_name(model: dict[str, Any]) -> str:
    """ "llama, 16 layers of 1024, sharded norms"."""
    extra = [text for key, text in (("scan", "scanned"), ("shard_norms", "sharded norms")) if model.get(key)]
    sizes = [f"{key} {model[key]}" for key in ("ffn", "batch") if key in model]
    return ", ".join([f"{model.get('family', 'llama')}, {model['layers']} layers of {model['hidden']}", *sizes, *extra])


def main(_: Sequence[str]) -> int:
    """Writes the page, or with --check compares."""
    text = table(pages.results("decode-*").values())
    return pages.write({PAGE: pages.between(PAGE.read_text(), "docs/gpu.md", MARKERS, text)})


if __name__ == "__main__":
    app.run(main)
