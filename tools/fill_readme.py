# SPDX-License-Identifier: Apache-2.0
"""Writes README's figures from benchmarks/results; no figure is typed by hand.

python tools/fill_readme.py            writes README.md
python tools/fill_readme.py --check    exit status 1 if it would change
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import fill_decode
import pages
from absl import app
from jax_oneshot.benchmarks.decode import figures

PAGE = pages.ROOT / "README.md"
MARKERS = (
    "<!-- figures: written by tools/fill_readme.py from benchmarks/results -->\n",
    "<!-- end of figures -->\n",
)

GAINS = (
    "<!-- gains: written by tools/fill_readme.py from benchmarks/results/step-*.json -->\n",
    "<!-- end of gains -->\n",
)

# Ratio in the kernel's results: the baseline of the fused call.
AGAINST = {
    "fused_vs_unfused": "the same all-reduce, then one kernel for residual and norm",
    "fused_vs_best_public": "the fastest public fused kernel (FlashInfer, SGLang)",
    "sharded_vs_collectives": "a sharded norm as three collectives and what is between them",
}
FEW_ROWS = 8  # as in decoding


@dataclasses.dataclass(frozen=True)
class Gpus:
    """Results from GPUs.

    Attributes:
      kernel: of `bench kernel`, all ranks on one GPU.
      each: the same with a GPU per rank, and NCCL.
      steps: of `bench decode`, by file.
    """

    kernel: dict[str, Any]
    each: dict[str, Any]
    steps: dict[str, dict[str, Any]]


def section(machines: list[dict[str, Any]], gpus: Gpus) -> str:
    """Markdown of the figures. `machines`: results of `make bench`, the machine with most cores first."""
    kernel, each = gpus.kernel, gpus.each
    first, ratios = machines[0], [one["ratios"] for one in machines]
    cores = _both(f"{one['machine']['cores']} cores ({one['date']})" for one in machines)
    pass_ms = _both(max(one["pass_ms_per_10k_instructions"].values()) for one in ratios)
    pass_percent = _both(max(one["pass_percent_of_compile"].values()) for one in ratios)
    return "\n".join(
        [
            "## Measured",
            "",
            f"`make bench` on {first['machine']['cpu']}, shared with others, jax {first['versions']['jax']}: {cores}.",
            "",
            "All-reduce + residual + RMSNorm, bf16, 8 CPU devices: times faster than XLA:CPU's own.",
            "",
            *_shape_table([one["cpu_fused_vs_xla"] for one in ratios]),
            "",
            "A decoding step of the demo: times faster with the variable on than off (—: not measured there).",
            "",
            *_demo_table(ratios),
            "",
            f"The pass takes {pass_ms} ms per 10 000 instructions at most, and {pass_percent} % of a whole compile.",
            f"With the variable unset, JAX's start takes {_both(one['import_ms'] for one in ratios)} ms longer.",
            "",
            "A decoding step of full-size models, batch 8 unless another is named: milliseconds with the best of XLA's "
            "own ways that were",
            "measured → with jax-oneshot, times faster. Steps run in one jitted loop, are launched ahead, or are each "
            "waited for; what a step donates",
            "matters to the last two ([docs/decode.md](docs/decode.md)).",
            "",
            *fill_decode.summary(gpus.steps),
            "",
            f"On {each['machine']['gpu_count']} {each['machine']['gpu']} joined by NVLink ({each['date']}), all-reduce "
            "+ residual + RMSNorm in",
            "one kernel is "
            f"{_few_rows(each['ratios']['fused_vs_nccl']['2'])} times faster than NCCL's all-reduce and one kernel for "
            "the rest",
            f"(median over shapes of up to {FEW_ROWS} rows).",
            "",
            f"The CUDA kernel on one {kernel['machine']['gpu']} with all ranks on it: times faster, median over shapes "
            f"of up to {FEW_ROWS} rows",
            "([docs/performance.md](docs/performance.md) has all shapes, the goals that are missed, and what one GPU "
            "cannot show).",
            "",
            *_kernel_table(kernel["ratios"]),
            "",
        ]
    )


def gains(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row per model that was measured with a process per GPU, by its steps in one jitted loop.

    Only of the kind of GPU that most models were measured on, and of eight sequences.
    """
    runs = [one for one in fill_decode.runs(files) if one[2]["place"] == "each" and one[2]["model"]["batch"] == 8]
    gpus = [(result["ranks"], result["facts"]["device"]) for _, _, result in runs]
    ranks, device = max(gpus, key=gpus.count)
    rows: dict[str, list[str]] = {}
    for name, _, result in sorted(runs, key=lambda run: run[0]):  # the plain run of a model first
        model = name.partition(",")[0]
        as_shipped = figures.shipped_variant(result) != figures.as_shipped(result)[-1]
        if (result["ranks"], result["facts"]["device"]) == (ranks, device) and as_shipped and model not in rows:
            off, ms = fill_decode.off_and_on(result, "loop")
            rows[model] = [fill_decode.title(model), f"{off:.2f} ms", f"{ms:.2f} ms", f"{off / ms:.2f}x"]
    head = f"decoding step in a jitted loop, {ranks} {device}, batch 8"
    return "\n".join(pages.table([head, "best of XLA alone", "with jax-oneshot", "faster"], list(rows.values()))) + "\n"


def _both(values: Iterable[float | str | None]) -> str:
    """One figure per machine; a dash if it was not measured there."""
    return " / ".join("—" if value is None else str(value) for value in values)


def _shape_table(ratios: list[dict[str, float]]) -> list[str]:
    shapes = [name.split("x") for name in ratios[0]]
    rows, widths = (list(dict.fromkeys(shape[axis] for shape in shapes)) for axis in (0, 1))
    return pages.table(
        ["rows", *(f"H = {width}" for width in widths)],
        [[r, *(_both(one[f"{r}x{w}"] for one in ratios) for w in widths)] for r in rows],
    )


def _demo_table(ratios: list[dict[str, Any]]) -> list[str]:
    rows = {"whole": "demo_step_on_vs_off", "split": "sharded_demo_step_on_vs_off"}
    variants = list(ratios[0][rows["whole"]])
    return pages.table(
        ["norm weights", *variants],
        [[name, *(_both(one.get(key, {}).get(v) for one in ratios) for v in variants)] for name, key in rows.items()],
    )


def _kernel_table(ratios: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    ranks = list(ratios["fused_vs_unfused"])
    rows = []
    for name, text in AGAINST.items():
        rows.append([text, *(_few_rows(ratios[name][n]) for n in ranks)])
    return pages.table(["against", *(f"{n} ranks" for n in ranks)], rows)


def _few_rows(ratios: dict[str, float]) -> str:
    """Median speed-up over shapes of up to FEW_ROWS rows."""
    return f"{1 / statistics.median(v for shape, v in ratios.items() if int(shape.split('x')[0]) <= FEW_ROWS):.1f}"


def _results(pattern: str) -> list[dict[str, Any]]:
    return list(pages.results(pattern).values())


def main(_: Sequence[str]) -> int:
    """Writes the page, or with --check compares."""
    machines = sorted(_results("cpu*"), key=lambda one: -int(one["machine"]["cores"]))
    gpus = Gpus(_results("kernel-h200")[0], _results("kernel-*-each")[0], pages.results("step-*"))
    text = pages.between(PAGE.read_text(), "README.md", MARKERS, section(machines, gpus))
    return pages.write({PAGE: pages.between(text, "README.md", GAINS, gains(gpus.steps))})


if __name__ == "__main__":
    app.run(main)
