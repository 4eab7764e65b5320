# SPDX-License-Identifier: Apache-2.0
"""docs/decode.md: its figures match the committed results."""

from __future__ import annotations

import subprocess
import sys

import fill_decode
import pages
from jax_oneshot.benchmarks.decode import figures
from jax_process import REPOSITORY


def test_the_page_shows_what_the_results_say() -> None:
    command = [sys.executable, "tools/fill_decode.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_ratios_follow_from_the_committed_times_and_no_variant_failed() -> None:
    files = pages.results("step-*")
    assert files
    for name, content, result in fill_decode.runs(files):
        assert figures.ratios(result) == content["ratios"][name]
        assert result["failed"] == {}
        assert result["facts"]["device"] != "cpu"


def test_a_run_is_named_after_its_model_and_what_is_not_as_usual() -> None:
    assert fill_decode.title("gemma-2-9b") == "Gemma 2 9B"
    assert fill_decode.title("llama-3.1-8b-scan, donate none") == "Llama 3.1 8B, scanned layers, donate none"
    assert fill_decode.title("gemma-2-9b, other XLA flags") == "Gemma 2 9B, other XLA flags"
