# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of docs/decode.md from benchmarks/results/step-*.json; no figure is typed by hand.

python tools/fill_decode.py            writes docs/decode.md
python tools/fill_decode.py --check    exit status 1 if it would change
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pages
from absl import app
from jax_oneshot.benchmarks.decode import WAYS, figures, sizes

PAGE = pages.ROOT / "docs" / "decode.md"
MARKERS = (
    "<!-- figures: written by tools/fill_decode.py from benchmarks/results/step-*.json -->\n",
    "<!-- end of figures -->\n",
)
PROMPT_MARKERS = (
    "<!-- prompts: written by tools/fill_decode.py from benchmarks/results/step-*.json -->\n",
    "<!-- end of prompts -->\n",
)
TOKEN_MARKERS = (
    "<!-- tokens: written by tools/fill_decode.py from benchmarks/results/step-*.json -->\n",
    "<!-- end of tokens -->\n",
)


def runs(files: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any], dict[str, Any]]]:
    """(name of the run, contents of its file, its result) of every run of every file."""
    for content in files.values():
        for name, result in content["details"].items():
            if isinstance(result, dict) and "variants" in result:
                yield name, content, result


def off_and_on(result: dict[str, Any], way: str) -> tuple[float, float]:
    """Milliseconds per step: the fastest without the pass, and with it as shipped."""
    ms: float = result["variants"][figures.shipped_variant(result)]["ms"][way]["median"]
    return figures.best_off(result, way), ms


def where(result: Mapping[str, Any]) -> str:
    """ "4 NVIDIA H200, a process per GPU, XLA 0.11.2"."""
    facts = result["facts"]
    return f"{result['ranks']} {facts['device']}, {figures.PLACES[result['place']]}, XLA {facts['xla']}"


def title(name: str) -> str:
    """ "Llama 3.1 8B, donate all"."""
    model, _, rest = name.partition(",")
    return f"{sizes.TITLES[model]}{',' if rest else ''}{rest}"


def summary(files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Markdown: a row per run; by way of driving a step: fastest without the pass → with the pass, speed-up."""
    rows = []
    for name, _, result in runs(files):
        if name.endswith((", calls per graph", ", other XLA flags")):
            continue
        on = figures.shipped_variant(result)
        cells = []
        for way in WAYS:
            off, ms = off_and_on(result, way)
            cells.append(f"{off:.2f} → {ms:.2f}, {off / ms:.2f}x")
        how = f", {on.removeprefix('on, ')}" if on == figures.as_shipped(result)[-1] else ""
        rows.append([title(name) + how, where(result), *cells])
    return pages.table(["model", "on", *WAYS], rows)


def section(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown of all figures."""
    lines: list[str] = []
    for name, content, result in runs(files):
        lines += ["", f"### {title(name)}: {where(result)} ({content['date']})", "", *_flags(result), *_times(result)]
        for way in ("loop", "waited"):
            lines += _where_it_goes(result, way)
    return "\n".join([*lines[1:], "", ""])


def tokens(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row per comparison with float32."""
    rows = []
    for content in files.values():
        for name, result in content["details"].items():
            if not isinstance(result, dict) or not figures.is_tokens(result):
                continue
            cells = [
                f"{result[way][kind]:.2%}" for kind in ("rms", "largest", "equal") for way in (figures.OFF, figures.ON)
            ]
            apart = [f"{result['apart'][pair]:.0%}" for pair in ("off_on", figures.OFF, figures.ON)]
            rows.append([title(name.removesuffix(", tokens")), where(result), *cells, *apart])
    head = ["model", "on", "rms: off", "on", "largest: off", "on", "tokens equal: off", "on"]
    table = pages.table([*head, "apart: off and on", "off and float32", "on and float32"], rows)
    return "\n".join([*table, ""])


def prompts(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row per prompt length: milliseconds to the first token."""
    rows = []
    for content in files.values():
        for name, result in content["details"].items():
            if not isinstance(result, dict) or not figures.is_prompts(result):
                continue
            for length, of in result["prompts"].items():
                cells = [
                    f"{figures.best_prompt_off(of):.2f}",
                    f"{of[figures.ON]['median']:.2f}",
                    f"{figures.prompt_speed_up(of):.2f}x",
                ]
                sequences = str(result["model"]["batch"])
                model = title(name.partition(", prompts")[0])
                rows.append([model, f"{where(result)} ({content['date']})", sequences, length, *cells])
    return "\n".join([*pages.table(["model", "on", "prompts", "tokens each", "off, ms", "on, ms", "faster"], rows), ""])


def _flags(result: dict[str, Any]) -> list[str]:
    return [f"With `{' '.join(result['flags'])}`.", ""] if result["flags"] else []


def _times(result: dict[str, Any]) -> list[str]:
    ratios = figures.ratios(result)
    rows = []
    for name, one in result["variants"].items():
        cells = [f"{ms['median']:.2f} ± {(ms['high'] - ms['low']) / 2:.2f}" for ms in one["ms"].values()]
        of = ratios.get(name, {})
        faster = ", ".join(f"{of[way]:.2f}" for way in WAYS) if of else ""
        share = f"{of['share_of_saving']:.0%}" if "share_of_saving" in of else ""
        rows.append([name, *cells, faster, share, str(one.get("graph_ends", ""))])
    return pages.table(["ms per step", *WAYS, "times faster", "share", "graph ends"], rows)


def _where_it_goes(result: dict[str, Any], way: str) -> list[str]:
    profiles = {name: one["profile"][way] for name, one in result["variants"].items() if way in one["profile"]}
    if not profiles:
        return []
    kinds = ("calls", "collectives", "matrix products", "copies", "rest")
    work = ("launch graphs", "update graphs", "launch kernels")
    rows = []
    for name, one in profiles.items():
        device = [f"{one['device_ms'].get(kind, 0):.2f}" for kind in kinds]
        host = [f"{one['host_ms'].get(kind, 0):.2f}" for kind in work]
        rows.append([name, *device, f"{one['busy_ms']:.2f}", *host])
    head = [f"{way}: ms of", *kinds, "GPU busy", *(f"host: {kind}" for kind in work)]
    return ["", *pages.table(head, rows)]


def main(_: Sequence[str]) -> int:
    """Writes the page, or with --check compares."""
    files = pages.results("step-*")
    page = pages.between(PAGE.read_text(), "docs/decode.md", MARKERS, section(files))
    page = pages.between(page, "docs/decode.md", TOKEN_MARKERS, tokens(files))
    return pages.write({PAGE: pages.between(page, "docs/decode.md", PROMPT_MARKERS, prompts(files))})


if __name__ == "__main__":
    app.run(main)
