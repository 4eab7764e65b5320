"""In: benchmarks/results/cpu.json. Out: the section of README.md that shows figures; nothing there is typed by hand.

python tools/fill_readme.py            writes README.md
python tools/fill_readme.py --check    exit status 1 when it would change
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN = "<!-- figures: written by tools/fill_readme.py from benchmarks/results/cpu.json -->\n"
END = "<!-- end of figures -->\n"


def section(results: dict[str, Any]) -> str:
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
            *_table(list(ratios["demo_step_on_vs_off"]), [list(map(str, ratios["demo_step_on_vs_off"].values()))]),
            "",
            f"The pass takes at most {pass_ms} ms per 10 000 instructions; of a whole compile that is {compile_share}.",
            f"With the variable unset, JAX's start takes {ratios['import_ms']} ms longer.",
            "",
        ]
    )


def filled(readme: str, results: dict[str, Any]) -> str:
    """README's text with the figures of `results`. Raises ValueError when the markers are missing."""
    before, found, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found and found_end):
        raise ValueError(f"README.md lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}{section(results)}{END}{after}"


def _shape_table(ratios: dict[str, float]) -> list[str]:
    shapes = [name.split("x") for name in ratios]
    rows, widths = (list(dict.fromkeys(shape[axis] for shape in shapes)) for axis in (0, 1))
    return _table(
        ["rows", *(f"H = {width}" for width in widths)], [[r, *(str(ratios[f"{r}x{w}"]) for w in widths)] for r in rows]
    )


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def main(arguments: list[str]) -> int:
    """Writes or checks."""
    path = ROOT / "README.md"
    old = path.read_text()
    new = filled(old, json.loads((ROOT / "benchmarks/results/cpu.json").read_text()))
    if arguments == ["--check"]:
        return int(old != new)
    path.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
