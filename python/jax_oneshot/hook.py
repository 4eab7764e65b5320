# SPDX-License-Identifier: Apache-2.0
"""The HLO hook: XLA calls it with every serialized module; it returns the rewritten module, or None to leave it as is.

Never raises an `Exception`: on any failure XLA compiles the unmodified module and the user is warned once.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from jax_oneshot import dumps, message_limits
from jax_oneshot.config import Config, Platform
from jax_oneshot.message_limits import XLA_COMBINES
from jax_oneshot.rewrite_counter import RewriteCounter

logger = logging.getLogger("jax_oneshot")


class PassResult(Protocol):
    """What the native run_pass returns."""

    @property
    def module(self) -> bytes | None:
        """The new serialized HloModuleProto; None: unchanged."""

    @property
    def report(self) -> Mapping[str, Any]:
        """PassReport of xla_pass/run_pass.h as a dict."""


RunPass = Callable[..., PassResult]


@dataclasses.dataclass(frozen=True)
class HookDependencies:
    """What the hook needs from its process; functions, since the answers are not known at start-up.

    Attributes:
      run_pass: the native pass.
      gpu_architecture: compute capability of this machine's first GPU; None: it has none.
      gpu_obstacle: why the calls of a CUDA module cannot run on this machine; empty: they can.
      hlo_text: HLO text of a serialized HloModuleProto.
      process_index: index of this process; None: it is the only one.
      module_header: name and device ids of a serialized HloModuleProto.
      local_cpu_ids: ids of this process's CPU devices.
      combine_limits: bytes and number of all-reduces up to which XLA:GPU combines them into one.
    """

    run_pass: RunPass
    gpu_architecture: Callable[[], int | None]
    gpu_obstacle: Callable[[Sequence[Mapping[str, Any]]], str]
    hlo_text: Callable[[bytes], str]
    process_index: Callable[[], int | None]
    module_header: Callable[[bytes], tuple[str, list[int]]]
    local_cpu_ids: Callable[[], frozenset[int]]
    combine_limits: Callable[[], tuple[int, int]] = lambda: XLA_COMBINES


class Hook:
    """The callback for one platform; XLA calls it once per compile, from any thread."""

    def __init__(
        self, config: Config, platform: Platform, dependencies: HookDependencies, counter: RewriteCounter
    ) -> None:
        """A hook for one platform.

        Args:
          config: how the user configured the pass.
          platform: what the modules are compiled for.
          dependencies: queries about the process.
          counter: numbers the process's rewrites; shared by all hooks.
        """
        self._config = config
        self._counter = counter
        self._platform = platform
        self._around = dependencies
        self._dumper = (
            dumps.Dumper(config.dump_to, dependencies.hlo_text, dependencies.process_index) if config.dump_to else None
        )
        self._warned: set[str] = set()

    def __call__(self, module: bytes) -> bytes | None:
        """Rewrites one serialized HloModuleProto; None: leave it as it is."""
        try:
            start = time.perf_counter()
            result, rewrites_before = self._run(module)
            pass_ms = (time.perf_counter() - start) * 1e3
        except Exception as error:
            self._warn_once("the pass failed, so modules like this one run as XLA made them", error)
            return None
        try:
            if result.report["all_reduces"]:  # XLA compiles hundreds of small modules without any
                self._warn_of_surprises(result.report)
                report = dumps.build_report(result.report, self._platform, pass_ms, rewrites_before)
                self._tell(module, result.module, report)
        except Exception as error:
            self._warn_once("could not write the report of a module (it is compiled as decided all the same)", error)
        return result.module

    def _run(self, module: bytes) -> tuple[PassResult, int]:
        """(the pass's result, how many rewrites the process made before)."""
        result = self._run_pass(module, self._keep_all_reason(module))
        if result.module is None:
            return result, 0
        if self._platform == "cuda" and (obstacle := self._around.gpu_obstacle(result.report["calls"])):
            return self._run_pass(module, "gpu_obstacle", obstacle), 0
        wanted = result.report["rewrites"]
        granted, before = self._counter.take(wanted)
        return (result if granted == wanted else self._run_pass(module, max_rewrites=granted)), before

    def _keep_all_reason(self, module: bytes) -> str:
        """Why the module must not be rewritten; empty: the pass decides."""
        if self._config.modules is None or self._config.rewrites(self._around.module_header(module)[0]):
            return ""
        return "module_excluded"

    def _run_pass(
        self, module: bytes, keep_all_reason: str = "", keep_all_detail: str = "", max_rewrites: int = -1
    ) -> PassResult:
        return self._around.run_pass(
            module,
            platform=self._platform,
            max_bytes=self._config.limits_for(self._platform, self._around.gpu_architecture()),
            two_shot_from=message_limits.default_two_shot_from(self._platform, self._around.gpu_architecture()),
            timeout_ms=self._config.timeout_ms_for(self._platform),
            single_process=self._is_of_this_process(module),
            keep_all_reason=keep_all_reason,
            keep_all_detail=keep_all_detail,
            max_rewrites=max_rewrites,
            combine=self._around.combine_limits(),
            calls_per_graph=-1 if self._config.calls_per_graph is None else self._config.calls_per_graph,
        )

    def _is_of_this_process(self, module: bytes) -> bool:
        """Whether every device of the module belongs to this process; always True on GPUs, where it does not matter."""
        if self._platform != "cpu" or self._around.process_index() is None:
            return True
        devices = self._around.module_header(module)[1]
        return bool(devices) and self._around.local_cpu_ids().issuperset(devices)

    def _tell(self, module: bytes, rewritten: bytes | None, report: Mapping[str, Any]) -> None:
        if rewritten is not None:
            logger.info("jax_oneshot: %s", summary(report))
        if self._dumper is not None:
            self._dumper.dump(module, rewritten, report)

    def _warn_of_surprises(self, report: Mapping[str, Any]) -> None:
        """Logs one line for each all-reduce that is kept because the pass failed on it."""
        for entry in report["all_reduces"]:
            if entry["verdict"] == "kept" and entry["reason_id"] == "pass_failed":
                where = f"%{entry['name']} of module {report['module']}"
                logger.warning("jax_oneshot: %s stays as it is: %s", where, entry["reason"])

    def _warn_once(self, what: str, error: Exception) -> None:
        if what in self._warned:
            logger.debug("jax_oneshot: %s: %s", what, error)
            return
        self._warned.add(what)
        logger.warning(
            "jax_oneshot: %s: %s: %s. Shown once; JAX_ONESHOT=0 switches the pass off.",
            what,
            type(error).__name__,
            error,
        )


def summary(report: Mapping[str, Any]) -> str:
    """One line on one module: `jit_decode: 8 of 9 all-reduces fused, 1 plain, 38 -> 9 collectives, 1.2 ms`."""
    verdicts = [entry["verdict"] for entry in report["all_reduces"]]
    plain = f", {verdicts.count('plain')} plain" if "plain" in verdicts else ""
    return (
        f"{report['module']}: {verdicts.count('fused')} of {len(verdicts)} all-reduces fused{plain}, "
        f"{report['collectives_before']} -> {report['collectives_after']} collectives, {report['pass_ms']:.1f} ms"
    )
