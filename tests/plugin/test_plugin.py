# SPDX-License-Identifier: Apache-2.0
"""The plug-in, tested through a model in a subprocess, with and without JAX_ONESHOT, on each supported JAX."""

from __future__ import annotations

import json
import pathlib
import re
import sys

from jax_oneshot import hlo_worker
from jax_process import MODEL, NEWEST_JAX, OLDEST_JAX, RunPython

RUN_MODEL = (
    MODEL
    + """
import json
compiled = step.lower(*arguments).compile()
output = np.asarray(step(*arguments), np.float32)
print(json.dumps({
    "jax": jax.__version__,
    "calls": compiled.as_text().count('custom_call_target="jax_oneshot.all_reduce"'),
    "output": output.tolist(),
}))
"""
)


def reference(run_python: RunPython, jax: pathlib.Path | None) -> list[list[float]]:
    output: list[list[float]] = run_python.script(RUN_MODEL, jax=jax).json()["output"]
    return output


def largest_difference(a: list[list[float]], b: list[list[float]]) -> float:
    return max(abs(x - y) for row_a, row_b in zip(a, b, strict=True) for x, y in zip(row_a, row_b, strict=True))


def test_an_unmodified_model_is_fused_and_right(run_python: RunPython, jax_version: pathlib.Path | None) -> None:
    on = run_python.script(RUN_MODEL, jax=jax_version, env={"JAX_ONESHOT": "1"}).json()
    assert jax_version is None or jax_version.name == f"jax-{on['jax']}"
    assert on["calls"] == 1
    # Two roundings to bf16 of values below 8: only the order of the sum may differ.
    assert largest_difference(on["output"], reference(run_python, jax_version)) <= 2 * 8 * 2**-8


def test_nothing_is_said_when_all_is_well(run_python: RunPython) -> None:
    assert run_python.script(RUN_MODEL, env={"JAX_ONESHOT": "1"}).stderr == ""


def test_with_the_variable_unset_next_to_nothing_is_imported(run_python: RunPython) -> None:
    modules = "import sys, json; print(json.dumps([m for m in sys.modules if m.startswith('jax_oneshot')]))"
    assert sorted(run_python.script(RUN_MODEL + modules).json()) == [
        "jax_oneshot",
        "jax_oneshot.jax_internals",
        "jax_oneshot.plugin",
    ]


def test_with_the_variable_zero_the_program_is_untouched(run_python: RunPython) -> None:
    assert run_python.script(RUN_MODEL, env={"JAX_ONESHOT": "0"}).json()["calls"] == 0


def test_importing_the_entry_point_imports_nothing_but_the_standard_library(run_python: RunPython) -> None:
    script = (
        "import json, sys; before = set(sys.modules); import jax_oneshot.plugin; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    imported = run_python(["-c", script]).json()
    assert set(imported) - set(sys.stdlib_module_names) == {"jax_oneshot"}


def test_a_mistake_in_the_configuration_is_told_once_and_the_model_runs_unfused(run_python: RunPython) -> None:
    done = run_python.script(RUN_MODEL, env={"JAX_ONESHOT": "1", "JAX_ONESHOT_MAXBYTES": "5"})
    assert done.json()["calls"] == 0
    assert done.stderr.count("did you mean JAX_ONESHOT_MAX_BYTES?") == 1
    assert "not in use, nothing will be fused" in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_do_not_matter_with_the_variable_unset(run_python: RunPython) -> None:
    assert run_python.script(RUN_MODEL, env={"JAX_ONESHOT_MAXBYTES": "5"}).stderr == ""


def test_a_native_module_that_does_not_load_is_told_once_and_the_model_runs_unfused(run_python: RunPython) -> None:
    broken = "import sys; sys.modules['jax_oneshot._native'] = None\n"
    done = run_python.script(broken + RUN_MODEL, env={"JAX_ONESHOT": "1"})
    assert done.json()["calls"] == 0
    assert done.stderr.count("the native module jax_oneshot._native does not load") == 1


FAKED_VERSION = "import jax; jax.__version__ = '0.99.0'\n"


def test_a_version_of_jax_that_was_not_tried_is_used_where_it_has_all_that_is_needed(run_python: RunPython) -> None:
    log = "import logging; logging.basicConfig(level=logging.INFO)\n"
    done = run_python.script(log + FAKED_VERSION + RUN_MODEL, env={"JAX_ONESHOT": "1"})
    assert done.json()["calls"] == 1
    said = (
        "jax_oneshot: in use, though jax 0.99.0 is not among the versions that jax-oneshot was tried with, "
        f"{OLDEST_JAX} and {NEWEST_JAX}"
    )
    assert done.stderr.count(said) == 1


def test_a_version_of_jax_that_lacks_what_is_needed_is_named_once_and_the_model_runs_unfused(
    run_python: RunPython,
) -> None:
    lacking = FAKED_VERSION + "import jaxlib._xla; del jaxlib._xla.register_xla_transform\n"
    done = run_python.script(lacking + RUN_MODEL, env={"JAX_ONESHOT": "1"})
    assert done.json()["calls"] == 0
    assert done.stderr.count("not in use, nothing will be fused") == 1
    assert "register_xla_transform" in done.stderr
    assert "jax 0.99.0 is not among the versions that jax-oneshot was tried with" in done.stderr


def test_a_pass_that_raises_leaves_every_module_unchanged_and_warns_once(run_python: RunPython) -> None:
    broken = """
from jax_oneshot import _native
def run_pass(module, **options):
    raise ValueError("a surprise")
_native.run_pass = run_pass
"""
    done = run_python.script(broken + RUN_MODEL, env={"JAX_ONESHOT": "1"})
    assert done.json()["calls"] == 0
    assert done.stderr.count("a surprise") == 1


def test_what_happened_to_a_module_is_logged_and_dumped(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    dumps = tmp_path / "dumps"
    log = "import logging; logging.basicConfig(level=logging.INFO)\n"
    done = run_python.script(log + RUN_MODEL, env={"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(dumps)})
    assert "jax_oneshot: jit_step: 1 of 1 all-reduces fused, 1 -> 1 collectives" in done.stderr
    report = json.loads((dumps / "0000.jit_step.cpu.report.json").read_text())
    assert [entry["verdict"] for entry in report["all_reduces"]] == ["fused"]
    assert "all-reduce(" in (dumps / "0000.jit_step.cpu.before.hlo.txt").read_text()
    assert "all-reduce(" not in (dumps / "0000.jit_step.cpu.after.hlo.txt").read_text()


def test_modules_that_do_not_match_the_pattern_are_left_alone(run_python: RunPython) -> None:
    env = {"JAX_ONESHOT": "1", "JAX_ONESHOT_MODULES": "prefill"}
    assert run_python.script(RUN_MODEL, env=env).json()["calls"] == 0


def test_messages_over_the_limit_are_left_alone(run_python: RunPython) -> None:
    env = {"JAX_ONESHOT": "1", "JAX_ONESHOT_MAX_BYTES": "16"}
    assert run_python.script(RUN_MODEL, env=env).json()["calls"] == 0


def test_with_absl_logging_the_line_appears_at_verbosity_info(run_python: RunPython) -> None:
    absl = "from absl import logging as log\nlog.use_absl_handler()\nlog.set_verbosity('info')\n"
    done = run_python.script(absl + RUN_MODEL, env={"JAX_ONESHOT": "1"})
    assert done.stderr.count("jax_oneshot: jit_step: 1 of 1 all-reduces fused, 1 -> 1 collectives") == 1


def without_sources(text: str) -> list[str]:
    """Lines without metadata, sorted: parsing renumbers source locations and reorders computations."""
    return sorted(
        re.sub(r", metadata=\{[^}]*\}", "", line) for line in text.splitlines() if line.startswith(("%", " ", "ENT"))
    )


def test_a_dump_reads_back_as_the_module_that_was_compiled(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    with_table = RUN_MODEL.replace("return (wide", "wide += np.arange(256.0) ** 1.5\n    return (wide")
    done = run_python.script(with_table, env={"JAX_ONESHOT": "1", "JAX_ONESHOT_DUMP_TO": str(tmp_path)})
    assert done.json()["calls"] == 1
    (before,) = tmp_path.glob("*.jit_step.cpu.before.hlo.txt")
    assert "{...}" not in before.read_text()
    assert re.search(r"constant\(\{0, 1, 2\.82[^}]{1000,}\}", before.read_text())
    for text in tmp_path.glob("*.hlo.txt"):
        again = hlo_worker.convert(hlo_worker.convert(text.read_bytes(), "to-proto"), "to-text").decode()
        assert without_sources(again) == without_sources(text.read_text())


def test_xlas_own_dump_shows_the_calls_with_readable_attributes(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    flags = f"--xla_force_host_platform_device_count=8 --xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    assert run_python.script(RUN_MODEL, env={"JAX_ONESHOT": "1", "XLA_FLAGS": flags}).json()["calls"] == 1
    (dump,) = tmp_path.glob("*.jit_step.cpu_after_optimizations.txt")
    call = next(line for line in dump.read_text().splitlines() if "jax_oneshot.all_reduce" in line)
    assert 'program = "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) { x0: ' in call
    assert "rows = 4 : i64" in call
