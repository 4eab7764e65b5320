"""In: benchmarks/results/{cpu*,kernel-h200}.json. Out: the figures of README.md; none is typed by hand.

python tools/fill_readme.py            writes README.md
python tools/fill_readme.py --check    exit status 1 when it would change
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
from collections.abc import Iterable
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
BEGIN = "<!-- figures: written by tools/fill_readme.py from benchmarks/results -->\n"
END = "<!-- end of figures -->\n"


# Ratio of the kernel's results: what the fused call is held against.
AGAINST = {
    "fused_vs_unfused": "the same all-reduce, then one kernel for residual and norm",
    "fused_vs_best_public": "the fastest public fused kernel (FlashInfer, SGLang)",
    "sharded_vs_collectives": "a sharded norm as three collectives and what is between them",
}
FEW_ROWS = 8  # decoding


def section(machines: list[dict[str, Any]], kernel: dict[str, Any]) -> str:
    """Markdown of the figures. `machines`: results of `make bench`, those of more cores first."""
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
            "A decoding step of the demo: times faster with the variable on than off.",
            "",
            *_demo_table(ratios),
            "",
            f"The pass takes {pass_ms} ms per 10 000 instructions at most, and {pass_percent} % of a whole compile.",
            f"With the variable unset, JAX's start takes {_both(one['import_ms'] for one in ratios)} ms longer.",
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


def filled(readme: str, machines: list[dict[str, Any]], kernel: dict[str, Any]) -> str:
    """README's text with the figures. Raises ValueError when the markers are missing."""
    before, found, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found and found_end):
        raise ValueError(f"README.md lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}{section(machines, kernel)}{END}{after}"


def _both(values: Iterable[float | str | None]) -> str:
    """One figure per machine; a question mark where it was not measured."""
    return " / ".join("?" if value is None else str(value) for value in values)


def _shape_table(ratios: list[dict[str, float]]) -> list[str]:
    shapes = [name.split("x") for name in ratios[0]]
    rows, widths = (list(dict.fromkeys(shape[axis] for shape in shapes)) for axis in (0, 1))
    return _table(
        ["rows", *(f"H = {width}" for width in widths)],
        [[r, *(_both(one[f"{r}x{w}"] for one in ratios) for w in widths)] for r in rows],
    )


def _demo_table(ratios: list[dict[str, Any]]) -> list[str]:
    rows = {"whole": "demo_step_on_vs_off", "split": "sharded_demo_step_on_vs_off"}
    variants = list(ratios[0][rows["whole"]])
    return _table(
        ["norm weights", *variants],
        [[name, *(_both(one.get(key, {}).get(v) for one in ratios) for v in variants)] for name, key in rows.items()],
    )


def _kernel_table(ratios: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    ranks = list(ratios["fused_vs_unfused"])
    rows = []
    for name, text in AGAINST.items():
        few = [[v for shape, v in ratios[name][n].items() if int(shape.split("x")[0]) <= FEW_ROWS] for n in ranks]
        rows.append([text, *(f"{1 / statistics.median(values):.1f}" for values in few)])
    return _table(["against", *(f"{n} ranks" for n in ranks)], rows)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def main(arguments: list[str]) -> int:
    """Writes or checks."""
    path = ROOT / "README.md"
    old = path.read_text()
    machines = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("cpu*.json"))]
    machines.sort(key=lambda one: -int(one["machine"]["cores"]))
    new = filled(old, machines, json.loads((RESULTS / "kernel-h200.json").read_text()))
    if arguments == ["--check"]:
        return int(old != new)
    path.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
