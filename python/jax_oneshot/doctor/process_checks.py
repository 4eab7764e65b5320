# SPDX-License-Identifier: Apache-2.0
"""Findings from the answers of the probe processes: JAX, the native module, NVIDIA's libraries, the GPUs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from jax_oneshot.doctor import child, local_checks
from jax_oneshot.doctor.findings import Finding

_CPU, _CUDA = ("cpu",), ("cuda",)
_REINSTALL = f"{sys.executable} -m pip install --force-reinstall --no-deps . (in the source tree; or `make build`)"
_SKIP_CHECKS = {"JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1"}


def look() -> list[Finding]:
    """Runs the probes, each in its own process, and returns their findings."""
    jax = child.ask("jax_oneshot.doctor.probe_jax")
    return [*_native(child.ask("jax_oneshot.doctor.probe_native")), *_jax(jax), *_cuda(jax), *_gpus()]


def _native(answer: child.Answer) -> Iterator[Finding]:
    error = answer.failure or answer.facts.get("error", "")
    file = answer.facts.get("file") or "nowhere"
    if error:
        yield Finding("native module", f"does not load (found {file}): {error}", "stop", _REINSTALL)
        return
    abi = "the stable ABI of CPython >= 3.12" if ".abi3." in file else "one version of CPython"
    yield Finding("native module", f"{file}, for {abi}", "ok")
    if not answer.facts["row_program"]:
        yield Finding("native module", "loads, but gives wrong answers", "stop", _REINSTALL)


def _jax(answer: child.Answer) -> Iterator[Finding]:
    facts, errors = answer.facts, answer.facts.get("errors", {})
    broken = answer.failure or errors.get("versions", "")
    if broken:
        yield Finding("jax loaded", f"JAX does not load: {broken}", "stop", "pip install --force-reinstall jax jaxlib")
        return
    for name in ("jax", "jaxlib"):
        yield Finding(f"{name} loaded", f"{facts[name]['version']} from {facts[name]['file']}", "ok")
    if facts.get("cpu_hook"):
        yield Finding("hook, cpu", "XLA:CPU hands its modules over", "ok", platforms=_CPU)
    else:
        yield Finding(
            "hook, cpu",
            f"this jaxlib has no register_xla_transform ({errors.get('hook', 'it is too old')})",
            "stop",
            f"pip install 'jax=={local_checks.NEWEST}'",
            platforms=_CPU,
        )
    ours = [message for message in facts["log"] if message.startswith("jax_oneshot: not in use")]
    if ours:
        yield Finding("plug-in", " ".join(ours[0].split()), "stop", "see the other findings")
    elif not facts.get("plugin_imported"):
        yield Finding("plug-in", "JAX did not load it" + _because(errors.get("plugins")), "stop", _REINSTALL)
    elif not facts.get("cpu_target"):
        yield Finding("call target", "not registered for CPU" + _because(errors.get("ours")), "stop", _REINSTALL, _CPU)
    else:
        yield Finding("plug-in", "loaded by JAX; its call target is registered", "ok")


def _because(error: str | None) -> str:
    return f": {error}" if error else ""


def _cuda(answer: child.Answer) -> Iterator[Finding]:
    """JAX's CUDA plug-in; if it does not start, probed once more without its own checks of CUDA's libraries."""
    installed = local_checks.cuda_plugin()
    if installed is None or not answer.facts:
        return
    facts, loaded = answer.facts, "cuda" in answer.facts.get("plugins", ())
    if not loaded:
        told = [line for line in answer.stderr.splitlines() if line.startswith("RuntimeError")]
        refused = [message for message in facts.get("log", ()) if "Jax plugin configuration error" in message]
        why = (told or refused or ["it did not say why"])[-1]
        yield Finding("CUDA plug-in loaded", f"no: {why}", "warn", "pip install 'jax[cuda13]'", _CUDA)
        facts = child.ask("jax_oneshot.doctor.probe_jax", environment=_SKIP_CHECKS).facts
    else:
        yield Finding("CUDA plug-in loaded", "yes", "ok", platforms=_CUDA)
    if facts.get("cuda_hook"):
        yield Finding("hook, cuda", "XLA:GPU hands its modules over", "ok", platforms=_CUDA)
    elif "cuda_hook" in facts:
        why = facts.get("errors", {}).get("cuda_hook", "it does not say why")
        fix = f"pip install 'jax[cuda13]=={local_checks.NEWEST}'"
        yield Finding("hook, cuda", f"{' '.join(installed)} does not take the pass: {why}", "stop", fix, _CUDA)


def _gpus() -> Iterator[Finding]:
    answer = child.ask("jax_oneshot.doctor.probe_gpu")
    if answer.failure:
        yield Finding("GPUs", f"NVIDIA's libraries could not be asked: {answer.failure}", "warn", platforms=_CUDA)
        return
    driver = answer.facts["driver"]
    gpus = driver.get("gpus", [])
    found = ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)) or "none"
    for name in ("driver", "nvrtc", "nccl"):
        yield _library(name, answer.facts[name], is_needed=bool(gpus))
    yield Finding("GPUs", found, platforms=_CUDA)
    if len(gpus) > 1:
        yield _peers(driver["unreachable"])


def _library(name: str, facts: dict[str, str], is_needed: bool) -> Finding:
    fixes = {"nvrtc": "pip install nvidia-cuda-nvrtc", "nccl": "pip install nvidia-nccl-cu13"}
    problem = facts.get("missing") or facts.get("error")
    if problem and is_needed:
        return Finding(name, f"not usable: {problem}", "stop", fixes.get(name, "install NVIDIA's driver"), _CUDA)
    if problem:
        return Finding(name, f"not usable: {problem}", platforms=_CUDA)
    return Finding(name, f"{facts['version']} from {facts['file']}", "ok", platforms=_CUDA)


def _peers(unreachable: list[list[int]]) -> Finding:
    if not unreachable:
        return Finding("peer access", "every GPU reaches every other one", "ok", platforms=_CUDA)
    pairs = ", ".join(f"{a} to {b}" for a, b in unreachable[:6])
    return Finding(
        "peer access",
        f"missing from {pairs}{' and more' if len(unreachable) > 6 else ''}",
        "stop",
        "use GPUs that are linked (`nvidia-smi topo -p2p r`), through CUDA_VISIBLE_DEVICES",
        _CUDA,
    )
