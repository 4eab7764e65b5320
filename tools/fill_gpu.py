"""In: benchmarks/results/decode-*.json. Out: the table of docs/gpu.md; none of its figures is typed by hand.

python tools/fill_gpu.py            writes docs/gpu.md
python tools/fill_gpu.py --check    exit status 1 when it would change
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gpu.md"
RESULTS = ROOT / "benchmarks" / "results"
BEGIN = "<!-- figures: written by tools/fill_gpu.py from benchmarks/results/decode-*.json -->\n"
END = "<!-- end of figures -->\n"
RUNS = ("off", "off, XLA's one-shot kernel", "on", "on, no command buffers")

# `gpus` of tests/gpu/tp_decode.py; results from before 2026-11-25 lack it.
PLACES = {"one": "on one GPU", "each": "on a GPU each", "together": "on a GPU each, one process"}


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: a row per file, milliseconds of a step per run."""
    header = ["ranks", *(f"{run}, ms" for run in RUNS), "rewritten", "tokens as on CPU", "measured"]
    lines = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    for result in results:
        setup, verdicts = result["setup"], result["verdicts"]
        cells = [f"{setup['ranks']} {PLACES[setup.get('gpus', 'one')]}: {model_name(setup['model'])}"]
        cells += [_times(result[run]) for run in RUNS]
        cells += [f"{verdicts.get('fused', 0) + verdicts.get('plain', 0)} of {sum(verdicts.values())}"]
        cells += ["yes" if all(result[run]["tokens_equal"] for run in RUNS) else "no"]
        cells += [f"{setup['date']}, {setup['device']}, jax {setup['jax']}{', MPS' if setup['mps'] else ''}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _times(run: dict[str, Any]) -> str:
    """Waited for; in brackets, where it was measured (since 2026-11-25), not waited for."""
    ahead = f" ({run['ahead_ms']:.2f})" if "ahead_ms" in run else ""
    return f"{run['step_ms']:.2f}{ahead}"


def model_name(model: dict[str, Any]) -> str:
    """ "llama, 16 layers of 1024, sharded norms"."""
    extra = [text for key, text in (("scan", "scanned"), ("shard_norms", "sharded norms")) if model.get(key)]
    sizes = [f"{key} {model[key]}" for key in ("ffn", "batch") if key in model]
    return ", ".join([f"{model.get('family', 'llama')}, {model['layers']} layers of {model['hidden']}", *sizes, *extra])


def filled(page: str) -> str:
    """The page with the table between its markers. Raises ValueError when they are missing."""
    before, found, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found and found_end):
        raise ValueError(f"docs/gpu.md lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("decode-*.json"))]
    return "".join([before, BEGIN, table(results), END, after])


def main() -> int:
    """Writes the page, or with --check says whether it would change."""
    page = PAGE.read_text()
    new = filled(page)
    if "--check" in sys.argv[1:]:
        if new != page:
            print("docs/gpu.md is not what tools/fill_gpu.py writes: run it", file=sys.stderr)
        return int(new != page)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
