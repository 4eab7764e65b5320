# SPDX-License-Identifier: Apache-2.0
"""Per platform: whether fusion will work and, if not, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from jax_oneshot.doctor.findings import PLATFORMS, Finding, Verdict


def judge(findings: Sequence[Finding]) -> list[Verdict]:
    """One verdict per platform."""
    return [_judge_one(platform, findings) for platform in PLATFORMS]


def is_well(verdicts: Sequence[Verdict]) -> bool:
    """Whether fusion is stopped on no platform."""
    return all(verdict.state != "stopped" for verdict in verdicts)


def _judge_one(platform: str, findings: Sequence[Finding]) -> Verdict:
    ours = [one for one in findings if platform in one.platforms]
    stops = [one for one in ours if one.level == "stop"]
    here = {one.topic: one for one in ours}
    if platform == "cuda" and _is_absent(here) and not any(list(one.platforms) == ["cuda"] for one in stops):
        return Verdict(platform, "absent", _absence(here, bool(stops)))
    if stops:
        sentence = "fusion will not work: " + "; ".join(f"{one.topic}: {one.value}" for one in stops)
        return Verdict(platform, "stopped", sentence, [one.fix for one in stops if one.fix])
    off = next((one for one in ours if one.topic == "variable" and one.fix == "export JAX_ONESHOT=1"), None)
    if off:
        return Verdict(platform, "works", "fusion will work once JAX_ONESHOT=1 is set", [off.fix])
    return Verdict(platform, "works", "fusion will work")


def _is_absent(here: dict[str, Finding]) -> bool:
    return here["CUDA plug-in installed"].value == "no" or _gpus(here) == "none"


def _gpus(here: dict[str, Finding]) -> str:
    return here["GPUs"].value if "GPUs" in here else "none"


def _absence(here: dict[str, Finding], is_stopped: bool) -> str:
    if here["CUDA plug-in installed"].value == "no":
        has = "no GPU" if _gpus(here) == "none" else _gpus(here)
        return f"JAX's CUDA plug-in is not installed here ({has}); `pip install 'jax[cuda13]'` installs it"
    if is_stopped or "hook, cuda" not in here:
        return "no GPU here"
    return "no GPU here; modules that are compiled here for GPUs elsewhere will be fused"
