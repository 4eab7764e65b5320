# SPDX-License-Identifier: Apache-2.0
"""Speed-ups, the share of the possible saving, and tables, from the results of measure().

A speed-up is against the fastest variant without jax-oneshot, with the step driven in the same way.
"""

from __future__ import annotations

import re
from typing import Any

from rich import box
from rich.table import Table

from jax_oneshot.benchmarks.decode import WAYS

OFF, ON = "off", "on"
# The two choices of the pass's rule. Results of 27 November 2026, from before the rule, have these in place of `on`.
CUT, WHOLE = "on, 4 calls per graph", "on, one graph"
PLACES = {"each": "a process per GPU", "together": "one process"}


def title(name: str, result: dict[str, Any]) -> str:
    """One line above the tables."""
    facts = result["facts"]
    return f"{name}: {result['ranks']} {facts['device']}, {PLACES[result['place']]}, XLA {facts['xla']}"


def key(name: str, result: dict[str, Any]) -> str:
    """The model's name in the JSON file, with what is not the default."""
    if is_tokens(result):
        return f"{name}, tokens"
    if is_prompts(result):
        sequences = result["model"]["batch"]
        return f"{name}, prompts{f' x {sequences}' if sequences > 1 else ''}"
    batch = "" if result["model"]["batch"] == 8 else f", batch {result['model']['batch']}"
    donate = "" if result["donate"] == "cache" else f", donate {result['donate']}"
    return f"{name}{batch}{donate}{', other XLA flags' if result['flags'] else ''}"


def file_name(result: dict[str, Any]) -> str:
    """Name of the JSON file: one per device, number of ranks, place and XLA version."""
    device = re.sub(r"[^a-z0-9]+", "-", result["facts"]["device"].lower().removeprefix("nvidia ")).strip("-")
    return f"step-{device}-tp{result['ranks']}-{result['place']}-xla-{result['facts']['xla']}.json"


def is_tokens(result: dict[str, Any]) -> bool:
    """Whether it is a result of tokens.compare."""
    return "apart" in result


def is_prompts(result: dict[str, Any]) -> bool:
    """Whether it is a result of prompts.measure."""
    return "prompts" in result


def stamp(result: dict[str, Any]) -> dict[str, Any]:
    """The machine and the versions, for results.merge."""
    from jax_oneshot.benchmarks import results

    facts = result["facts"]
    where = {"cpu": results.machine()["cpu"], "cores": results.machine()["cores"], "gpu": facts["device"]}
    return {
        "where": where | {"ranks": result["ranks"], "place": result["place"]},
        "what": results.versions() | {"jax": facts["jax"], "xla": facts["xla"]},
    }


def tables(result: dict[str, Any]) -> list[Table]:
    """All tables of one model."""
    if is_tokens(result):
        return [tokens_table(result)]
    if is_prompts(result):
        return [prompts_table(result)]
    where = [where_table(result, way) for way in WAYS if any(one["profile"] for one in result["variants"].values())]
    return [table(result), gains_table(result), *where]


def note(result: dict[str, Any]) -> str:
    """Explains the columns, and why variants failed."""
    if is_tokens(result):
        shares = result["apart"]
        return (
            f"{result['steps']} tokens per sequence, {result['model']['layers']} layers, random weights. Differences "
            "from the logits of the same model in float32, relative to their root mean square; all take the tokens "
            "that float32 chooses. Each on its own: "
            f"off and on agree on {shares['off_on']:.0%} of the tokens, off and float32 on {shares['off']:.0%}, on and "
            f"float32 on {shares['on']:.0%}: after the first near-tie they decode different texts."
        )
    if is_prompts(result):
        return "Median of the turns ± half their range; times faster than the fastest variant without jax-oneshot."
    lines = [
        "Median of the turns ± half their range. "
        "Times faster: than the fastest variant without jax-oneshot. "
        "Share: of the saving that would be possible if every call took as long as the floor (an exchange of 16 bytes "
        "between all ranks)."
    ]
    return "\n".join([*lines, *(f"{name} failed: {why}" for name, why in result["failed"].items())])


def best_off(result: dict[str, Any], way: str) -> float:
    """Milliseconds per step of the fastest variant without jax-oneshot."""
    return min(_median(one, way) for name, one in result["variants"].items() if name.startswith(OFF))


def ratios(result: dict[str, Any]) -> dict[str, Any]:
    """By variant that is on, by way: speed-up over the fastest variant that is off; and the share, where known.

    For a result of tokens.compare: the differences of on, relative to those of off. For one of prompts.measure: the
    speed-up, by length.
    """
    if is_prompts(result):
        return {length: prompt_speed_up(of) for length, of in result["prompts"].items()}
    if is_tokens(result):
        return {
            kind: round(result[ON][kind] / result[OFF][kind], 3) for kind in ("rms", "largest") if result[OFF][kind]
        }
    out: dict[str, Any] = {}
    for name, one in result["variants"].items():
        if not name.startswith(ON):
            continue
        out[name] = {way: round(best_off(result, way) / _median(one, way), 3) for way in WAYS}
        share = share_of_saving(result, name)
        if share is not None:
            out[name]["share_of_saving"] = round(share, 3)
    return out


def share_of_saving(result: dict[str, Any], name: str) -> float | None:
    """(off - on) / (off - on with every call as fast as the floor), driven as a loop; None: not known.

    The floor is an exchange of 16 bytes. The calls' own time is the profiler's.
    """
    one, floor_us = result["variants"][name], result.get("floor_us")
    profile = one["profile"].get("loop", {})
    calls_ms, calls = (profile.get(key, {}).get("calls") for key in ("device_ms", "device_counts"))
    if floor_us is None or not calls:
        return None
    off, on = _median(result["variants"][OFF], "loop"), _median(one, "loop")
    possible = off - (on - calls_ms + calls * floor_us * 1e-3)
    return float((off - on) / possible) if possible > 0 else None


def as_shipped(result: dict[str, Any]) -> tuple[str, ...]:
    """Names of the variant that the pass's rule chooses; last, the name of the other choice."""
    return ("on", CUT, WHOLE) if result["donate"] == "none" else ("on", WHOLE, CUT)


def shipped_variant(result: dict[str, Any]) -> str:
    """The variant of `result` that is, or comes closest to, what the pass's rule chooses."""
    return next(one for one in as_shipped(result) if one in result["variants"])


def table(result: dict[str, Any]) -> Table:
    """Milliseconds per step: a row per variant; each median followed by half the spread of the turns."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("ms per step", no_wrap=True)
    for heading in WAYS:
        made.add_column(heading, justify="right", no_wrap=True)
    for name, one in result["variants"].items():
        made.add_row(name, *(_cell(one["ms"][way]) for way in WAYS))
    for name in result["failed"]:
        made.add_row(name, "failed")
    return made


def best_prompt_off(of: dict[str, Any]) -> float:
    """Milliseconds to the first token of the fastest variant that is off; `of`: as for prompt_speed_up."""
    return min(float(one["median"]) for name, one in of.items() if name.startswith(OFF))


def prompt_speed_up(of: dict[str, Any]) -> float:
    """The speed-up of `on` over the fastest variant that is off; `of`: the results of one length, by variant."""
    return round(best_prompt_off(of) / of[ON]["median"], 3)


def prompts_table(result: dict[str, Any]) -> Table:
    """Milliseconds to the first token: a row per length."""
    names = list(next(iter(result["prompts"].values())))
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("tokens", *(f"{name}, ms" for name in names), "times faster"):
        made.add_column(heading, justify="right", no_wrap=True)
    for length, of in result["prompts"].items():
        made.add_row(length, *(_cell(of[name]) for name in names), f"{prompt_speed_up(of):.2f}")
    return made


def tokens_table(result: dict[str, Any]) -> Table:
    """Differences from float32: a row per variant."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("from float32", no_wrap=True)
    for heading in ("rms", "largest", "tokens equal"):
        made.add_column(heading, justify="right", no_wrap=True)
    for name in (OFF, ON):
        one = result[name]
        made.add_row(name, f"{one['rms']:.2%}", f"{one['largest']:.1%}", f"{one['equal']:.1%}")
    return made


def gains_table(result: dict[str, Any]) -> Table:
    """Speed-ups, the share of the possible saving, and how many calls end a CUDA graph."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("times faster", no_wrap=True)
    for heading in (*WAYS, "share", "graph ends"):
        made.add_column(heading, justify="right", no_wrap=True)
    for name, of in ratios(result).items():
        share = f"{of['share_of_saving']:.0%}" if "share_of_saving" in of else ""
        graph_ends = str(result["variants"][name].get("graph_ends", ""))
        made.add_row(name, *(f"{of[way]:.2f}" for way in WAYS), share, graph_ends)
    return made


def where_table(result: dict[str, Any], way: str) -> Table:
    """Where the time goes: a row per variant."""
    kinds = sorted({kind for one in result["variants"].values() for kind in _profiled(one, way, "device_ms")})
    work = sorted({kind for one in result["variants"].values() for kind in _profiled(one, way, "host_ms")})
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column(f"{way}: ms of", no_wrap=True)
    for heading in [*kinds, "busy", *(f"host: {kind}" for kind in work)]:
        made.add_column(heading, justify="right")
    for name, one in result["variants"].items():
        device, host = _profiled(one, way, "device_ms"), _profiled(one, way, "host_ms")
        busy = one["profile"].get(way, {}).get("busy_ms", 0.0)
        values = [*(device.get(kind, 0.0) for kind in kinds), busy, *(host.get(kind, 0.0) for kind in work)]
        made.add_row(name, *(f"{value:.2f}" for value in values))
    return made


def _cell(ms: dict[str, Any]) -> str:
    return f"{ms['median']:.2f} ±{(ms['high'] - ms['low']) / 2:.2f}"


def _median(one: dict[str, Any], way: str) -> float:
    return float(one["ms"][way]["median"])


def _profiled(one: dict[str, Any], way: str, key: str) -> dict[str, float]:
    found: dict[str, float] = one["profile"].get(way, {}).get(key, {})
    return found
