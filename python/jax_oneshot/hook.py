"""In: the serialized module of each compile, from XLA. Out: the rewritten module, or None to leave it alone.

Never raises an ordinary error: whatever goes wrong inside, the compile goes on with the module as it came, and the
user is warned once.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from jax_oneshot import dumps
from jax_oneshot.config import Config, Platform

logger = logging.getLogger("jax_oneshot")

EXCLUDED_REASON = "the module's name does not match JAX_ONESHOT_MODULES; widen the pattern to have it rewritten"
NO_GPU_KERNEL_REASON = (
    "this machine has an NVIDIA GPU and this version has no GPU kernel yet; "
    "modules for CUDA are rewritten only where they cannot run"
)


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
class Surroundings:
    """What the hook asks of the process it runs in; functions, since the answers are not known at start-up.

    Attributes:
      run_pass: the native pass.
      single_process: whether all devices belong to this process.
      gpu_count: number of GPUs that could run a CUDA module.
      hlo_text: HLO text of a serialized HloModuleProto.
    """

    run_pass: RunPass
    single_process: Callable[[], bool]
    gpu_count: Callable[[], int]
    hlo_text: Callable[[bytes], str]


class Hook:
    """The callback for one platform; XLA calls it once per compile, from any thread."""

    def __init__(self, config: Config, platform: Platform, surroundings: Surroundings) -> None:
        """Args: how the user configured the pass; what the modules are for; what to ask of the process."""
        self._config = config
        self._platform = platform
        self._around = surroundings
        self._dumper = dumps.Dumper(config.dump_to, surroundings.hlo_text) if config.dump_to else None
        self._warned: set[str] = set()

    def __call__(self, module: bytes) -> bytes | None:
        """Rewrites one serialized HloModuleProto; None: leave it as it is."""
        try:
            result, pass_ms = self._run(module)
        except Exception as error:
            self._warn_once("the pass failed, so modules like this one run as XLA made them", error)
            return None
        try:
            self._tell(module, result, pass_ms)
        except Exception as error:
            self._warn_once("could not write the report of a module (it is compiled as decided all the same)", error)
        return result.module

    def _run(self, module: bytes) -> tuple[PassResult, float]:
        start = time.perf_counter()
        if self._config.modules is None:
            result = self._run_native(module, self._keep_all_reason())
        else:
            # The first run, which rewrites nothing, is there for the module's name.
            result = self._run_native(module, EXCLUDED_REASON)
            if result.report["all_reduces"] and self._config.rewrites(result.report["module"]):
                result = self._run_native(module, self._keep_all_reason())
        return result, (time.perf_counter() - start) * 1e3

    def _run_native(self, module: bytes, keep_all_reason: str) -> PassResult:
        return self._around.run_pass(
            module,
            platform=self._platform,
            max_bytes=self._config.max_bytes_for(self._platform),
            timeout_ms=self._config.timeout_ms,
            single_process=self._around.single_process(),
            keep_all_reason=keep_all_reason,
        )

    def _keep_all_reason(self) -> str:
        return NO_GPU_KERNEL_REASON if self._platform == "cuda" and self._around.gpu_count() > 0 else ""

    def _tell(self, module: bytes, result: PassResult, pass_ms: float) -> None:
        if not result.report["all_reduces"]:
            return  # XLA compiles hundreds of small modules; those without an all-reduce have nothing to tell.
        report = dumps.build_report(result.report, self._platform, pass_ms)
        if result.module is not None:
            logger.info("jax_oneshot: %s", summary(report))
        if self._dumper is not None:
            self._dumper.dump(module, result.module, report)

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
