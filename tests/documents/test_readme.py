# SPDX-License-Identifier: Apache-2.0
"""README: its figures match the committed results, and the commands, variables and files that it names exist."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest
from jax_oneshot import cli, config
from jax_oneshot.demo.compare import read_reports
from jax_process import MODEL, REPOSITORY, RunPython

README = (REPOSITORY / "README.md").read_text()


def test_the_figures_are_those_of_the_committed_results() -> None:
    done = subprocess.run([sys.executable, "tools/fill_readme.py", "--check"], cwd=REPOSITORY, check=False)
    assert done.returncode == 0, "README.md is behind benchmarks/results/cpu.json; run tools/fill_readme.py"


def test_every_variable_and_command_is_named_and_no_other() -> None:
    assert set(re.findall(r"^\| `(JAX_ONESHOT\w*)`", README, re.MULTILINE)) == set(config.VARIABLES)
    assert set(re.findall(r"^\| `jax-oneshot (\w+)", README, re.MULTILINE)) == set(cli._COMMANDS)


COMMANDS = re.findall(r"^ {4}([^#\n]+?)(?: +#.*)?$", README, re.MULTILINE)
TARGETS = [command for command in COMMANDS if command.startswith("make ")]
# It rebuilds everything, which takes minutes; `make wheel` does the same.
NOT_RUN = ["pip install ."]
MODEL_COMMAND = "JAX_ONESHOT=1 JAX_ONESHOT_DUMP_TO=/tmp/oneshot python your_model.py"


def test_its_commands_are_those_that_are_tested_here() -> None:
    assert sorted(COMMANDS) == sorted([*TARGETS, *NOT_RUN, MODEL_COMMAND])
    assert {"make demo", "make test"} <= set(TARGETS)


@pytest.mark.parametrize("command", TARGETS)
def test_its_targets_exist(command: str) -> None:
    done = subprocess.run([*command.split(), "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_command_for_a_model_of_ones_own_fuses_and_dumps(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    (tmp_path / "your_model.py").write_text(MODEL + "\nstep(*arguments).block_until_ready()\n")
    command = MODEL_COMMAND.replace("/tmp/oneshot", str(tmp_path / "dump"))
    run = f"import os, sys; sys.exit(os.waitstatus_to_exitcode(os.system({command!r})))"
    done = run_python.script(run, env={"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"})
    assert done.status == 0, done.stderr
    verdicts = [entry["verdict"] for report in read_reports(str(tmp_path / "dump")) for entry in report["all_reduces"]]
    assert verdicts == ["fused"]


@pytest.mark.parametrize("command", cli._COMMANDS)
def test_its_subcommands_explain_themselves(run_python: RunPython, command: str) -> None:
    done = run_python(["-m", "jax_oneshot", command, "--help"])
    assert done.status == 0, done.stderr
    assert done.stdout.startswith(f"usage: jax-oneshot {command}")


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([\w/.]+)\)", README)
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
