# SPDX-License-Identifier: Apache-2.0
"""Whole random programs (tests/programs) with the pass off and on: a fixed set of seeds; `make fuzz` runs others."""

from __future__ import annotations

import pathlib

import pytest
from jax_process import JAX_VERSIONS, OLDEST_JAX
from programs import generate
from programs.pair import Outcome, Pair

# Enough to cover every family of operations, shard_map and GSPMD, one and two mesh axes, and all dtypes.
# The last one donates an argument whose buffer is overwritten while a call still needs its value.
SEEDS = (*range(25), 1795816540)
SEEDS_OF_THE_OLDEST_JAX = range(100, 106)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Outcome]:
    """The outcome of every seed, all run by the same two processes."""
    with Pair(tmp_path_factory.mktemp("programs")) as pair:
        return {seed: pair.run(generate.program(seed)) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_gives_the_same_with_the_pass_and_compiles_to_no_more_collectives(
    seed: int, outcomes: dict[int, Outcome]
) -> None:
    findings = outcomes[seed].findings
    told = "\n".join(f"{f.kind}, {f.platform}: {f.what}" for f in findings)
    assert not findings, f"{told}\n{generate.program(seed).text()}"


def test_the_pass_takes_part_in_most_programs(outcomes: dict[int, Outcome]) -> None:
    for platform in ("cpu", "gpu"):
        rewritten = [seed for seed in SEEDS if outcomes[seed].calls[platform]]
        assert len(rewritten) > len(SEEDS) / 2, f"on {platform} only seeds {rewritten} hold a one-shot call"


def test_programs_give_the_same_with_the_oldest_jax(tmp_path: pathlib.Path) -> None:
    """On CPU only, since only one version of JAX's CUDA plug-in is installed."""
    with Pair(tmp_path, platforms=("cpu",), jax=JAX_VERSIONS[OLDEST_JAX]) as pair:
        outcomes = {seed: pair.run(generate.program(seed)) for seed in SEEDS_OF_THE_OLDEST_JAX}
    assert not {seed: outcome.findings for seed, outcome in outcomes.items() if outcome.findings}
    assert sum(outcome.calls["cpu"] for outcome in outcomes.values())
