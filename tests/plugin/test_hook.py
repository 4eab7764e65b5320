# SPDX-License-Identifier: Apache-2.0
"""The hook, with a fake pass: what it returns, when it leaves a module alone, and that it never raises."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import logging
import pathlib
import re
import threading
from typing import Any

import pytest
from jax_oneshot.config import Config, Platform
from jax_oneshot.hook import Hook, HookDependencies
from jax_oneshot.message_limits import NEVER, default_limits
from jax_oneshot.rewrite_counter import RewriteCounter
from report_fixture import NATIVE, VERDICT


@dataclasses.dataclass
class FakePass:
    """Rewrites every module to `module`; records its arguments."""

    module: bytes | None = b"after"
    report: dict[str, Any] = dataclasses.field(default_factory=lambda: dict(NATIVE))
    error: Exception | None = None
    calls: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def __call__(self, module: bytes, **options: Any) -> FakePass:
        self.calls.append(options)
        if self.error:
            raise self.error
        if options["keep_all_reason"] or options["max_rewrites"] == 0:
            return dataclasses.replace(self, module=None, report=self.report | {"rewrites": 0})
        return self


AROUND = HookDependencies(
    run_pass=FakePass(),
    gpu_architecture=lambda: None,
    gpu_obstacle=lambda calls: "",
    hlo_text=lambda module: module.decode(),
    process_index=lambda: None,
    module_header=lambda module: ("jit_decode", [2048, 2049]),
    local_cpu_ids=frozenset,
)


def hook(fake: FakePass, config: Config | None = None, platform: Platform = "cpu", obstacle: str = "") -> Hook:
    around = dataclasses.replace(AROUND, run_pass=fake, gpu_obstacle=lambda calls: obstacle)
    config = config or Config()
    return Hook(config, platform, around, RewriteCounter(config.limit))


def test_a_rewritten_module_is_handed_on_and_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jax_oneshot")
    assert hook(FakePass())(b"before") == b"after"
    assert re.fullmatch(
        r"jax_oneshot: jit_decode: 1 of 1 all-reduces fused, 2 -> 1 collectives, \d+\.\d ms", caplog.messages[0]
    )
    assert len(caplog.messages) == 1


def test_an_unchanged_module_is_none_and_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jax_oneshot")
    assert hook(FakePass(module=None))(b"before") is None
    assert not caplog.messages


def test_every_all_reduce_that_the_pass_failed_at_is_named_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    failed = {**VERDICT, "verdict": "kept", "reason": "because", "reason_id": "pass_failed"}
    kept = {**VERDICT, "verdict": "kept", "reason": "the all-reduce has no elements", "reason_id": "empty"}
    fake = FakePass(report={**NATIVE, "all_reduces": [VERDICT, failed, kept]})
    assert hook(fake)(b"before") == b"after"
    assert caplog.messages == ["jax_oneshot: %all-reduce.3 of module jit_decode stays as it is: because"]


def test_the_pass_gets_the_configuration() -> None:
    fake = FakePass()
    hook(fake, Config(max_bytes=77, timeout_s=1.5, calls_per_graph=5))(b"before")
    assert fake.calls == [
        {
            "platform": "cpu",
            "max_bytes": [77] * 17,
            "two_shot_from": [NEVER] * 17,
            "timeout_ms": 1500,
            "single_process": True,
            "keep_all_reason": "",
            "keep_all_detail": "",
            "max_rewrites": -1,
            "combine": (31457287, 2048),
            "calls_per_graph": 5,
        }
    ]


def test_the_limit_counts_the_rewrites_of_all_modules() -> None:
    fake = FakePass(report=dict(NATIVE) | {"rewrites": 2})
    limited = hook(fake, Config(limit=3))
    assert [limited(module) is None for module in (b"one", b"two", b"three")] == [False, False, True]
    # First without a limit, to find how many rewrites the module would make; then again if that is too many.
    assert [call["max_rewrites"] for call in fake.calls] == [-1, -1, 1, -1, 0]


def test_a_module_that_cannot_run_on_the_gpus_takes_no_numbers(tmp_path: pathlib.Path) -> None:
    config, counter = Config(dump_to=tmp_path, limit=1), RewriteCounter(1)
    obstacles = iter(("no NVRTC was found", ""))
    around = dataclasses.replace(AROUND, run_pass=FakePass(), gpu_obstacle=lambda calls: next(obstacles))
    compiling = Hook(config, "cuda", around, counter)
    compiling(b"one")
    compiling(b"two")
    assert counter.take(1) == (0, 1)


def test_modules_do_not_wait_for_each_others_kernels() -> None:
    both = threading.Barrier(2, timeout=20)

    def compile_kernels(calls: Any) -> str:
        both.wait()  # times out unless the other module's kernels are compiled at the same time
        return ""

    around = dataclasses.replace(AROUND, run_pass=FakePass(), gpu_obstacle=compile_kernels)
    compiling = Hook(Config(limit=7), "cuda", around, RewriteCounter(7))
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert list(threads.map(compiling, [b"one", b"two"])) == [b"after", b"after"]


def test_hooks_that_share_a_counter_number_their_rewrites_together(tmp_path: pathlib.Path) -> None:
    around = dataclasses.replace(AROUND, run_pass=FakePass())
    counter, config = RewriteCounter(), Config(dump_to=tmp_path)
    Hook(config, "cpu", around, counter)(b"before")
    Hook(config, "cuda", around, counter)(b"before")
    reports = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.report.json"))]
    assert [report["all_reduces"][0]["rewrite"] for report in reports] == [1, 2]


def test_a_hook_that_raises_inside_leaves_modules_alone_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    broken = hook(FakePass(error=ValueError("field 3 at byte 17 is cut short")))
    assert broken(b"one") is None
    assert broken(b"two") is None
    assert len(caplog.messages) == 1
    assert "the pass failed" in caplog.messages[0]
    assert "ValueError: field 3 at byte 17 is cut short" in caplog.messages[0]
    assert "JAX_ONESHOT=0 switches the pass off" in caplog.messages[0]


def test_a_dump_that_fails_keeps_the_rewrite_and_warns_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    dumping = hook(FakePass(), Config(dump_to=tmp_path / "file" / "below"))
    assert dumping(b"before") == b"after"
    assert dumping(b"before") == b"after"
    assert len(caplog.messages) == 1
    assert "could not write the report" in caplog.messages[0]


def test_a_module_is_dumped_when_it_has_an_all_reduce(tmp_path: pathlib.Path) -> None:
    hook(FakePass(), Config(dump_to=tmp_path))(b"before")
    assert (tmp_path / "0000.jit_decode.cpu.before.hlo.txt").read_text() == "before"
    assert (tmp_path / "0000.jit_decode.cpu.after.hlo.txt").read_text() == "after"


def test_a_module_without_all_reduces_is_not_dumped(tmp_path: pathlib.Path) -> None:
    hook(FakePass(module=None, report=NATIVE | {"all_reduces": []}), Config(dump_to=tmp_path))(b"before")
    assert not list(tmp_path.iterdir())


def test_a_module_whose_name_does_not_match_is_kept_with_that_reason() -> None:
    fake = FakePass()
    assert hook(fake, Config(modules=re.compile("prefill")))(b"before") is None
    assert [call["keep_all_reason"] for call in fake.calls] == ["module_excluded"]


def test_a_module_whose_name_matches_is_rewritten_in_one_run() -> None:
    fake = FakePass()
    assert hook(fake, Config(modules=re.compile("decode")))(b"before") == b"after"
    assert [call["keep_all_reason"] for call in fake.calls] == [""]


@pytest.mark.parametrize(
    ("local", "assigned", "is_local"),
    [
        ([2048, 2049, 2050], [2048, 2049], True),
        ([2048], [2048, 2049], False),
        ([0, 1], [2048, 2049], False),
        ([2048, 2049], [], False),  # devices not assigned yet
    ],
)
def test_what_counts_is_whether_the_modules_own_devices_are_this_processs(
    local: list[int], assigned: list[int], is_local: bool
) -> None:
    fake = FakePass()
    around = dataclasses.replace(
        AROUND,
        run_pass=fake,
        process_index=lambda: 1,
        module_header=lambda module: ("jit_decode", assigned),
        local_cpu_ids=lambda: frozenset(local),
    )
    Hook(Config(), "cpu", around, RewriteCounter())(b"before")
    assert fake.calls[0]["single_process"] is is_local


def test_modules_for_cuda_are_kept_if_the_calls_cannot_run() -> None:
    fake = FakePass()
    assert hook(fake, platform="cuda", obstacle="no NVRTC was found")(b"before") is None
    assert [(call["keep_all_reason"], call["keep_all_detail"]) for call in fake.calls] == [
        ("", ""),
        ("gpu_obstacle", "no NVRTC was found"),
    ]


def test_modules_for_cuda_are_rewritten_if_the_calls_can_run() -> None:
    fake = FakePass()
    assert hook(fake, platform="cuda")(b"before") == b"after"
    assert len(fake.calls) == 1


def test_the_calls_of_the_module_are_what_is_asked_about() -> None:
    asked: list[Any] = []

    def obstacle(calls: Any) -> str:
        asked.append(calls)
        return ""

    around = dataclasses.replace(AROUND, run_pass=FakePass(), gpu_obstacle=obstacle)
    Hook(Config(), "cuda", around, RewriteCounter())(b"before")
    assert asked == [NATIVE["calls"]]


def test_modules_for_cuda_in_which_nothing_is_rewritten_are_not_asked_about() -> None:
    def obstacle(calls: Any) -> str:
        raise AssertionError(calls)

    around = dataclasses.replace(AROUND, run_pass=FakePass(module=None), gpu_obstacle=obstacle)
    assert Hook(Config(), "cuda", around, RewriteCounter())(b"before") is None


def test_modules_for_cpu_are_rewritten_whatever_stands_against_gpus() -> None:
    assert hook(FakePass(), platform="cpu", obstacle="no NVRTC was found")(b"before") == b"after"


def test_the_limits_are_those_of_this_machines_gpu() -> None:
    fake = FakePass()
    Hook(Config(), "cuda", dataclasses.replace(AROUND, run_pass=fake, gpu_architecture=lambda: 100), RewriteCounter())(
        b""
    )
    assert fake.calls[0]["max_bytes"] == default_limits("cuda", 100) != default_limits("cuda", 90)


def test_the_line_counts_plain_calls_apart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jax_oneshot")
    verdicts = [NATIVE["all_reduces"][0] | {"verdict": verdict} for verdict in ("fused", "plain", "kept")]
    hook(FakePass(report=NATIVE | {"all_reduces": verdicts}))(b"before")
    assert "1 of 3 all-reduces fused, 1 plain, 2 -> 1 collectives" in caplog.messages[0]
