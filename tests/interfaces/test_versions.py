# SPDX-License-Identifier: Apache-2.0
"""The versions of jax that pip is told of, and those in documents, against jax_internals.SUPPORTED_VERSIONS."""

from __future__ import annotations

import re
import tomllib

import pytest
from jax_process import NEWEST_JAX, OLDEST_JAX, REPOSITORY


def pins(name: str) -> dict[str, str]:
    """Package -> version of a file of requirements."""
    return dict(re.findall(r"^([\w-]+)==(\S+)", (REPOSITORY / "requirements" / name).read_text(), re.MULTILINE))


def test_the_oldest_is_pinned_beside_the_newest() -> None:
    assert pins("oldest_jax.txt") == {"jax": OLDEST_JAX, "jaxlib": OLDEST_JAX}
    newest, demo = pins("run.txt"), pins("demo.txt")
    assert (newest["jax"], newest["jaxlib"]) == (NEWEST_JAX, NEWEST_JAX)
    assert (demo["jax-cuda13-plugin"], demo["jax-cuda13-pjrt"]) == (NEWEST_JAX, NEWEST_JAX)


def test_the_package_asks_for_the_oldest_or_newer_and_builds_against_its_headers() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert {f"jax>={OLDEST_JAX}", f"jaxlib>={OLDEST_JAX}"} <= set(project["project"]["dependencies"])
    assert f"jaxlib=={OLDEST_JAX}" in project["build-system"]["requires"]


@pytest.mark.parametrize("page", ["README.md", "docs/support.md"])
def test_a_page_that_says_what_is_supported_names_both(page: str) -> None:
    assert f"{OLDEST_JAX} and {NEWEST_JAX}" in (REPOSITORY / page).read_text()


def test_one_file_uses_what_is_internal_to_jax() -> None:
    package = REPOSITORY / "python" / "jax_oneshot"
    users = {path.name for path in package.rglob("*.py") if re.search(r"\bjaxlib\._|\bjax\._src\b", path.read_text())}
    assert users == {"jax_internals.py"}
