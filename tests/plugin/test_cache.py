# SPDX-License-Identifier: Apache-2.0
"""The persistent compilation cache: entries of different settings are never mixed, and fused executables work."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from jax_process import MODEL, RunPython

RUN_WITH_CACHE = (
    MODEL
    + """
import collections, json
events = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **_: events.update([event.rsplit("/", 1)[-1]]))
compiled = step.lower(*arguments).compile()
hits, misses = events["cache_hits"], events["cache_misses"]
output = np.asarray(compiled(*arguments), np.float32)
again = np.asarray(compiled(*arguments), np.float32)
print(json.dumps({
    "hits": hits,
    "misses": misses,
    "calls": compiled.as_text().count('custom_call_target="jax_oneshot.all_reduce"'),
    "output": output.tolist(),
    "repeatable": bool((output == again).all()),
}))
"""
)


class CachedRuns:
    """Processes that share one cache folder."""

    def __init__(self, run_python: RunPython, folder: pathlib.Path, jax: pathlib.Path | None = None) -> None:
        self._run_python = run_python
        self._jax = jax
        self._cache = {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }

    def run(self, before: str = "", **env: str) -> dict[str, Any]:
        finished: dict[str, Any] = self._run_python.script(
            before + RUN_WITH_CACHE, jax=self._jax, env=self._cache | env
        ).json()
        return finished


@pytest.fixture
def cached(run_python: RunPython, tmp_path: pathlib.Path) -> CachedRuns:
    return CachedRuns(run_python, tmp_path)


def test_on_off_on_share_a_folder_and_are_never_mixed(
    run_python: RunPython, tmp_path: pathlib.Path, jax_version: pathlib.Path | None
) -> None:
    cached = CachedRuns(run_python, tmp_path, jax_version)
    on, off, on_again, off_again = (cached.run(JAX_ONESHOT=value) for value in ("1", "0", "1", "0"))

    assert [run["calls"] for run in (on, off, on_again, off_again)] == [1, 0, 1, 0]
    assert [(run["hits"], run["misses"]) for run in (on, off)] == [(0, 1), (0, 1)]
    assert [(run["hits"], run["misses"]) for run in (on_again, off_again)] == [(1, 0), (1, 0)]
    # The executable from the cache has its state and its handlers: the same bits in every call.
    assert on_again["output"] == on["output"]
    assert off_again["output"] == off["output"]
    assert all(run["repeatable"] for run in (on, off, on_again, off_again))


def test_unset_and_zero_share_entries_with_a_process_without_us(cached: CachedRuns) -> None:
    without = "import importlib.metadata as m; found = m.entry_points; m.entry_points = lambda **_: ()\n"
    assert cached.run(without)["misses"] == 1
    assert cached.run()["hits"] == 1
    assert cached.run(JAX_ONESHOT="0")["hits"] == 1


def test_a_setting_of_the_pass_makes_another_entry_and_a_dump_folder_does_not(
    cached: CachedRuns, tmp_path: pathlib.Path
) -> None:
    assert cached.run(JAX_ONESHOT="1")["misses"] == 1
    assert cached.run(JAX_ONESHOT="1", JAX_ONESHOT_MAX_BYTES="16")["misses"] == 1
    assert cached.run(JAX_ONESHOT="1", JAX_ONESHOT_DUMP_TO=str(tmp_path / "dumps"))["hits"] == 1


def test_a_hook_that_somebody_else_put_there_stays_in_force(cached: CachedRuns) -> None:
    theirs = "from jax._src import cache_key; cache_key.custom_hook = lambda: 'theirs'\n"
    assert cached.run(JAX_ONESHOT="1")["misses"] == 1
    assert cached.run(theirs, JAX_ONESHOT="1")["misses"] == 1
    assert cached.run(theirs, JAX_ONESHOT="1")["hits"] == 1
