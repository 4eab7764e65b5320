# SPDX-License-Identifier: Apache-2.0
"""Runs the C++ tests through Bazel: one pytest result per target, with its log on failure."""

from __future__ import annotations

import json
import pathlib
import subprocess
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BAZEL = str(ROOT / "tools" / "bazel")


def _targets() -> list[str]:
    command = [BAZEL, "query", "--noshow_progress", "kind(cc_test, //...) except attr(tags, manual, //...)"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"Bazel does not list the C++ tests: {finished.stderr.strip()}")
    return sorted(finished.stdout.split())


def _events(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        yield json.loads(line)


def _readable(uri: str) -> str:
    """A test's log, without the sandbox traces that some versions of Bazel add."""
    lines = pathlib.Path(urllib.parse.urlparse(uri).path).read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if "linux-sandbox" not in line)


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By target: "PASSED", or what went wrong with the test's log; from one run of Bazel for all targets."""
    path = tmp_path_factory.mktemp("bazel") / "events.json"
    command = [BAZEL, "test", "--keep_going", f"--build_event_json_file={path}", "//..."]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not path.exists():
        pytest.fail(f"Bazel could not start: {finished.stderr[-4000:]}")
    results: dict[str, str] = {}
    for event in _events(path):
        label = event["id"].get("testSummary", event["id"].get("testResult", {})).get("label")
        if "testSummary" in event:
            status = event["testSummary"]["overallStatus"]
            results[label] = "PASSED" if status == "PASSED" else f"{status}\n{results.get(label, '')}"
        elif "testResult" in event and event["testResult"]["status"] != "PASSED":
            logs = [out["uri"] for out in event["testResult"]["testActionOutput"] if out["name"] == "test.log"]
            results[label] = "\n".join(_readable(uri) for uri in logs)
    results["build"] = finished.stderr[-4000:]
    return results


@pytest.mark.parametrize("target", _targets())
def test_cpp(target: str, outcomes: dict[str, str]) -> None:
    outcome = outcomes.get(target, f"not built or not run:\n{outcomes['build']}")
    if outcome != "PASSED":
        pytest.fail(f"{target}: {outcome}", pytrace=False)
