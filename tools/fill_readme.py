"""In: benchmarks/results/{cpu,kernel-h200}.json. Out: the figures of README.md; none is typed by hand.

python tools/fill_readme.py            writes README.md
python tools/fill_readme.py --check    exit status 1 when it would change
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN = "<!-- figures: written by tools/fill_readme.py from benchmarks/results -->\n"
END = "<!-- end of figures -->\n"


# Ratio of the kernel's results: what the fused call is held against.
AGAINST = {
    "fused_vs_unfused": "the same all-reduce, then one kernel for residual and norm",
    "fused_vs_best_public": "the fastest public fused kernel (FlashInfer, SGLang)",
    "sharded_vs_collectives": "a sharded norm as three collectives and what is between them",
}
FEW_ROWS = 8  # decoding


def section(results: dict[str, Any], kernel: dict[str, Any]) -> str:
    """Markdown of the figures."""
    machine, versions, ratios = results["machine"], results["versions"], results["ratios"]
    compile_share = ", ".join(f"{value} % ({name})" for name, value in ratios["pass_percent_of_compile"].items())
    pass_ms = max(ratios["pass_ms_per_10k_instructions"].values())
    return "\n".join(
        [
            "## Measured",
            "",
            f"`make bench` on {machine['cpu']}, {machine['cores']} cores, jax {versions['jax']}, {results['date']}.",
            "",
            "All-reduce + residual + RMSNorm, bf16, 8 CPU devices: times faster than XLA:CPU's own.",
            "",
            *_shape_table(ratios["cpu_fused_vs_xla"]),
            "",
            "A decoding step of the demo: times faster with the variable on than off.",
            "",
            *_demo_table(ratios),
            "",
            f"The pass takes at most {pass_ms} ms per 10 000 instructions; of a whole compile that is {compile_share}.",
            f"With the variable unset, JAX's start takes {ratios['import_ms']} ms longer.",
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


def filled(readme: str, results: dict[str, Any], kernel: dict[str, Any]) -> str:
    """README's text with the figures. Raises ValueError when the markers are missing."""
    before, found, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found and found_end):
        raise ValueError(f"README.md lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}{section(results, kernel)}{END}{after}"


def _shape_table(ratios: dict[str, float]) -> list[str]:
    shapes = [name.split("x") for name in ratios]
    rows, widths = (list(dict.fromkeys(shape[axis] for shape in shapes)) for axis in (0, 1))
    return _table(
        ["rows", *(f"H = {width}" for width in widths)], [[r, *(str(ratios[f"{r}x{w}"]) for w in widths)] for r in rows]
    )


def _demo_table(ratios: dict[str, dict[str, float]]) -> list[str]:
    rows = {"whole": ratios["demo_step_on_vs_off"], "split": ratios["sharded_demo_step_on_vs_off"]}
    variants = list(rows["whole"])
    return _table(
        ["norm weights", *variants], [[name, *(str(of[variant]) for variant in variants)] for name, of in rows.items()]
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
    results = [json.loads((ROOT / f"benchmarks/results/{name}.json").read_text()) for name in ("cpu", "kernel-h200")]
    new = filled(old, *results)
    if arguments == ["--check"]:
        return int(old != new)
    path.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
