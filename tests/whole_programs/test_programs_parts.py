# SPDX-License-Identifier: Apache-2.0
"""The parts that generate, run, compare and shrink random programs, tested with hand-written programs and faults."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from jax_process import RunPython
from programs import generate, law, operations, shrink
from programs.builder import Statement, Value
from programs.pair import Limits, Pair
from programs.program import Input, Program

ON = 'os.environ["JAX_ONESHOT"] == "1"'


def by_hand(*lines: str) -> Program:
    """A program on [8, 4, 64] of f32, one part per rank, that returns `v9`."""
    result = Value("v9", (4, 64), "float32")
    text = "\n".join(("v1 = x0[0]", 'v2 = lax.psum(v1, "tp")', *lines))
    inputs = [Input("x0", (8, 4, 64), "float32", 'P("tp")')]
    return Program(0, {"tp": 8}, True, inputs, (), [Statement((result,), text)], [result])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair(tmp_path_factory.mktemp("pair"), limits=Limits(cpu_seconds=12, memory_bytes=2 << 30)) as made:
        yield made


# --- generation ------------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_text_in_every_process() -> None:
    script = (
        "import hashlib\nfrom programs import generate\n"
        "text = ''.join(generate.program(seed).text() for seed in range(60))\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    folder = pathlib.Path(__file__).resolve().parents[1]
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": str(folder), "PYTHONHASHSEED": salt},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(digests) == 1


def test_every_operation_stands_in_some_program(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()

    def counted(name: str, function: operations.Function) -> operations.Function:
        def call(builder: object) -> None:
            function(builder)  # type: ignore[arg-type]
            used.add(name)

        return call

    for name, entry in operations.TABLE.items():
        monkeypatch.setitem(operations.TABLE, name, dataclasses.replace(entry, function=counted(name, entry.function)))
    for seed in range(400):
        generate.program(seed)
    assert used == set(operations.TABLE)


def test_programs_have_every_style_dtype_and_extreme_size() -> None:
    made = [generate.program(seed) for seed in range(300)]
    assert {program.manual for program in made} == {False, True}
    assert {len(program.axes) for program in made} == {1, 2}
    assert {value.dtype for program in made for value in program.outputs} >= {"float32", "bfloat16", "float16", "int32"}
    sizes = {extent for program in made for entry in program.inputs for extent in entry.shape}
    assert {0, 1, 4096} <= sizes
    assert any(program.donated for program in made)


# --- findings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("wrong", (f"v9 = v2 * (1.00001 if {ON} else 1)",)),
        ("wrong", (f"v9 = v2 + 0.1 * lax.axis_index('tp') * ({ON})",)),
        ("error", (f"assert not {ON}", "v9 = v2")),
        ("error", (f"v9 = v2 + (len(bytearray(1 << 33)) % 2 if {ON} else 0)",)),
        ("limit", (f"while {ON}: pass", "v9 = v2")),
        ("limit", (f"if {ON}: os.abort()", "v9 = v2")),
        ("invalid", ("v9 = v2.no_such_thing()",)),
        ("collectives", (f'v9 = lax.all_gather(v2[:1], "tp")[0] + v2 if {ON} else v2',)),
        (
            "pass failed",
            ("import logging", f"if {ON}: logging.getLogger('jax_oneshot').warning('it broke')", "v9 = v2"),
        ),
    ],
)
def test_it_finds(kind: str, lines: tuple[str, ...], pair: Pair) -> None:
    found = pair.run(by_hand(*lines)).findings
    assert kind in {finding.kind for finding in found}, found


def test_it_finds_nothing_in_a_sound_program_also_after_one_that_ended_its_process(pair: Pair) -> None:
    sound = by_hand("v9 = jax.nn.softmax(v2, -1)")
    assert pair.run(by_hand(f"if {ON}: os.abort()", "v9 = v2")).findings
    outcome = pair.run(sound)
    assert not outcome.findings
    assert outcome.calls == {"cpu": 1, "gpu": 1}


@pytest.mark.parametrize(("more", "right"), [(1e-8, True), (1e-4, False)])
def test_where_terms_of_a_sum_over_ranks_cancel_the_last_bits_of_the_terms_are_free(
    more: float, right: bool, pair: Pair
) -> None:
    opposite = "v3 = v2 * (0.3 - 0.6 * (lax.axis_index('tp') % 2))"
    found = pair.run(by_hand(opposite, f"v9 = lax.psum(v3, 'tp') + {more} * abs(v2) * ({ON})"), ["cpu"]).findings
    assert not found if right else {finding.kind for finding in found} == {"wrong"}


# --- the law ---------------------------------------------------------------------------------------------------------


def of_f32(*numbers: float) -> law.Array:
    return np.array([numbers], np.float32)


EXACT = np.array([[1.0, 2.0, 4.0]])
MOVED = EXACT * (1 + 1e-6)


@pytest.mark.parametrize(
    ("off", "on", "right"),
    [
        ((1, 2, 4), (1, 2, 4), True),
        ((1, 2, 4), (1.000001, 2, 4), True),
        ((1, 2, 4), (1.00001, 2, 4), False),
        ((1.00001, 2, 4), (1, 2.00003, 4), True),
        ((1, 2, 4), (1, np.nan, 4), False),
        ((1, np.nan, 4), (1, 2, 4), True),
        ((1, np.inf, 4), (1, np.nan, 4), True),
    ],
)
def test_floats_may_be_as_far_off_as_samples_or_as_xla(
    off: tuple[float, ...], on: tuple[float, ...], right: bool
) -> None:
    found = law.breaches([of_f32(*off)], [of_f32(*on)], [[EXACT], [MOVED], [MOVED]], ranks=False)
    assert not found if right else found


def test_integers_are_equal_where_no_sample_doubts_them() -> None:
    exact = np.array([[1, 2, 3]])
    doubtful = np.array([[1, 2, 9]])
    off = np.array([[1, 2, 3]], np.int32)
    for on, right in (([1, 2, 3], True), ([1, 2, 4], True), ([1, 7, 3], False)):
        found = law.breaches([off], [np.array([on], np.int32)], [[exact], [exact], [doubtful]], ranks=False)
        assert not found if right else found


def test_ranks_that_hold_the_same_bits_without_the_pass_do_so_with_it() -> None:
    exact = np.ones((2, 3))
    off = exact.astype(np.float32)
    on = off.copy()
    on[1, 2] = np.nextafter(np.float32(1), np.float32(2))
    assert not law.breaches([off], [on], [[exact], [exact]], ranks=False)
    assert law.breaches([off], [on], [[exact], [exact]], ranks=True)


def test_a_float_of_another_shape_or_dtype_is_wrong() -> None:
    exact = np.ones((1, 3))
    assert law.breaches([of_f32(1, 1, 1)], [of_f32(1, 1)], [[exact]], ranks=False)
    assert law.breaches([of_f32(1, 1, 1)], [np.ones((1, 3))], [[exact]], ranks=False)


# --- shrinking, printing ---------------------------------------------------------------------------------------------


def test_shrinking_leaves_what_the_finding_needs_and_little_else() -> None:
    program = next(p for p in map(generate.program, range(99)) if "lax.top_k" in p.text() and len(p.statements) > 15)

    def fails(smaller: Program) -> bool:
        compile(smaller.text(), "program", "exec")
        return "lax.top_k" in smaller.text()

    small = shrink.shrunk(program, fails)
    assert fails(small)
    assert len(small.statements) < len(program.statements) / 2


def test_a_printed_program_runs_by_itself(tmp_path: pathlib.Path, run_python: RunPython) -> None:
    file = tmp_path / "program.py"
    file.write_text(by_hand("v9 = v2 * lax.rsqrt(jnp.mean(v2 * v2, -1, keepdims=True) + 1e-3)").text())
    on_cpu = run_python([str(file)])
    assert on_cpu.status == 0, on_cpu.stderr
    assert "output 0: at most" in on_cpu.stdout
    for_gpus = run_python([str(file), "gpu"])
    assert for_gpus.status == 0, for_gpus.stderr
    assert (
        "JAX_ONESHOT=0: 1 collectives of XLA, 0 calls\nJAX_ONESHOT=1: 0 collectives of XLA, 1 calls" in for_gpus.stdout
    )
