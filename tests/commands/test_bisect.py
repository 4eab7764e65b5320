# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot bisect`: the bisection itself, and the command on a program with one wrong rewrite among thirty."""

from __future__ import annotations

import pathlib
import sys

import pytest
from jax_oneshot import bisect
from jax_process import Finished, RunPython

REWRITES = 30
PLANTED = 17

# Thirty all-reduces in two modules, each followed by a multiplication. Only one has the factor 3; with "plant", the
# rewritten module has 7 in its place.
PROGRAM = f"""
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, PartitionSpec
from jax_oneshot import _native

class Tampered:
    def __init__(self, run):
        self.report = run.report
        self.module = run.module and run.module.replace(b"constant 3;", b"constant 7;")

if "plant" in sys.argv:
    real = _native.run_pass
    _native.run_pass = lambda module, **options: Tampered(real(module, **options))

mesh = Mesh(np.array(jax.devices()), ("tp",))

def half(first):
    def step(x):
        for number in range(first, first + {REWRITES // 2}):
            x = jax.lax.psum(x, "tp") * (3.0 if number == {PLANTED} else 0.125)
        return x
    spec = PartitionSpec()
    return jax.jit(jax.shard_map(step, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False))

x = jnp.ones((2, 128))
for first in (1, {REWRITES // 2 + 1}):
    x = half(first)(x)
print(float(x[0, 0]))
sys.exit(0 if "show" in sys.argv or float(x[0, 0]) == 24.0 else 1)
"""


@pytest.fixture
def program(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return str(path)


def run_bisect(run_python: RunPython, *arguments: str) -> Finished:
    return run_python(["-m", "jax_oneshot", "bisect", *arguments], timeout_s=300)


def test_a_wrong_region_planted_among_thirty_is_named(run_python: RunPython, program: str) -> None:
    done = run_bisect(run_python, "--", sys.executable, program, "plant")
    assert done.status == 0, done.stderr
    assert f"with all {REWRITES} rewrites: WRONG" in done.stderr
    assert "with 0 rewrites: right" in done.stderr
    assert f"rewrite {PLANTED} is the first with which the program goes wrong:" in done.stdout
    assert "module       jit_step (cpu), 0001.jit_step.cpu.report.json" in done.stdout
    assert "constant 3" in done.stdout
    assert len(done.stderr.splitlines()) <= 2 + 5  # bisecting 30


def test_with_stdout_a_program_that_checks_nothing_is_enough(
    run_python: RunPython, program: str, tmp_path: pathlib.Path
) -> None:
    keep = tmp_path / "kept"
    done = run_bisect(run_python, "--stdout", "--keep", str(keep), "--", sys.executable, program, "plant", "show")
    assert done.status == 0, done.stderr
    assert f"rewrite {PLANTED} is the first" in done.stdout
    assert f"`jax-oneshot report {keep}` shows it" in done.stdout
    assert len(list(keep.glob("*.report.json"))) == 2


def test_a_program_that_is_right_with_all_rewrites_has_nothing_to_find(run_python: RunPython, program: str) -> None:
    done = run_bisect(run_python, "--", sys.executable, program)
    assert done.status == 1
    assert f"the program is right with all of its {REWRITES} rewrites" in done.stderr


def test_a_program_that_never_uses_jax_is_told_apart(run_python: RunPython) -> None:
    done = run_bisect(run_python, "--", sys.executable, "-c", "raise SystemExit(1)")
    assert done.status == 1
    assert "the program made no rewrite, so none can be at fault" in done.stderr


def test_a_program_that_does_not_start_is_a_usage_error(run_python: RunPython) -> None:
    done = run_bisect(run_python, "--", "/no/such/program")
    assert (done.status, done.stdout) == (2, "")
    assert "cannot run /no/such/program: No such file or directory" in done.stderr


def test_a_folder_with_other_dumps_is_not_mixed_with_ours(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    done = run_bisect(run_python, "--keep", str(tmp_path / "used"), "--", sys.executable)
    assert done.status == 2
    assert "is not empty; expected a new folder after --keep" in done.stderr


def test_without_a_program_it_says_what_it_expected(run_python: RunPython) -> None:
    done = run_bisect(run_python)
    assert done.status == 2
    assert "expected `-- CMD ...`" in done.stderr


@pytest.mark.parametrize("rewrites", [1, 2, 3, 30, 100])
def test_every_place_is_found_in_few_runs(rewrites: int) -> None:
    for planted in range(1, rewrites + 1):
        runs: list[int] = []

        def run(limit: int | None, planted: int = planted, runs: list[int] = runs) -> bisect.Run:
            made = rewrites if limit is None else min(limit, rewrites)
            runs.append(made)
            return bisect.Run(made < planted, made)

        assert bisect.first_wrong(run, lambda text: None) == planted
        assert len(runs) <= 2 + rewrites.bit_length()


def test_a_program_that_is_wrong_without_rewrites_is_not_blamed_on_one() -> None:
    with pytest.raises(bisect.NothingToFindError, match="wrong without any rewrite too, so the pass is not at fault"):
        bisect.first_wrong(lambda limit: bisect.Run(False, 5), lambda text: None)
