# SPDX-License-Identifier: Apache-2.0
"""Scanned models on 8 CPU devices with rotated loops, against float64."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jax_oneshot.demo.compare import read_reports
from jax_process import REPOSITORY, RunPython
from loop_models import LoopModel

WORKER = str(REPOSITORY / "tests" / "numerics" / "loop_worker.py")
LARGEST_ERROR = 2e-5  # of f32, relative to the largest value; it grows over the iterations

FIXED = [
    LoopModel(),
    LoopModel(rounds=0),
    LoopModel(rounds=1),
    LoopModel(rounds=5),
    LoopModel(index="back"),
    LoopModel(index="twice", norm="layer"),
    LoopModel(post=True),
    LoopModel(collect=True, rounds=4),
    LoopModel(parallel=True),
    LoopModel(tokens=2),
    LoopModel(tokens=3, rounds=4, collect=True, post=True, parallel=True),
]

models = st.builds(
    LoopModel,
    rows=st.integers(1, 6),
    width=st.sampled_from([16, 64, 200]),
    stack=st.integers(1, 4),
    rounds=st.integers(0, 6),
    index=st.sampled_from(["i", "back", "twice"]),
    norm=st.sampled_from(["rms", "layer"]),
    post=st.booleans(),
    collect=st.booleans(),
    parallel=st.booleans(),
    tokens=st.integers(0, 3),
    seed=st.integers(0, 1 << 16),
)


def errors(run_python: RunPython, drawn: list[LoopModel], dump: pathlib.Path, jax: pathlib.Path | None) -> list[float]:
    """The largest error of each model, with the pass on."""
    lines = "".join(json.dumps(dataclasses.asdict(model)) + "\n" for model in drawn)
    environment = {"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(dump)}
    done = run_python([WORKER], stdin=lines.encode(), env=environment, jax=jax, timeout_s=600)
    assert done.status == 0, done.stderr
    return [json.loads(line)["error"] for line in done.stdout.splitlines()]


def test_rotated_loops_compute_what_the_model_says(
    run_python: RunPython, tmp_path: pathlib.Path, jax_version: pathlib.Path | None
) -> None:
    dump = tmp_path / "dump"
    found = errors(run_python, FIXED, dump, jax_version)
    assert len(found) == len(FIXED)
    assert max(found) < LARGEST_ERROR, dict(zip(FIXED, found, strict=True))
    rotated = [one["rotated"] for report in read_reports(str(dump)) for one in report["rotations"]]
    # A value that is also collected may be read too late to be written in place.
    assert rotated == [not model.collect for model in FIXED]


def test_random_loops_compute_what_the_model_says(
    run_python: RunPython, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One process runs many models, since a model takes a second to compile."""

    @settings(
        max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None
    )
    @given(st.lists(models, min_size=6, max_size=6, unique=True))
    def check(drawn: list[LoopModel]) -> None:
        dump = tmp_path_factory.mktemp("dump")
        found = errors(run_python, drawn, dump, None)
        assert max(found) < LARGEST_ERROR, dict(zip(drawn, found, strict=True))
        assert len(read_reports(str(dump))) == len(drawn)

    check()
