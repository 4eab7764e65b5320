"""README: its figures are those of the committed results, and what it names exists."""

from __future__ import annotations

import re
import subprocess
import sys

from jax_oneshot import cli, config
from jax_process import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_the_figures_are_those_of_the_committed_results() -> None:
    done = subprocess.run([sys.executable, "tools/fill_readme.py", "--check"], cwd=REPOSITORY, check=False)
    assert done.returncode == 0, "README.md is behind benchmarks/results/cpu.json; run tools/fill_readme.py"


def test_every_variable_and_command_is_named_and_no_other() -> None:
    assert set(re.findall(r"^\| `(JAX_ONESHOT\w*)`", README, re.MULTILINE)) == set(config.VARIABLES)
    assert set(re.findall(r"^\| `jax-oneshot (\w+)", README, re.MULTILINE)) == set(cli._COMMANDS)


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([\w/.]+)\)", README)
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
