# SPDX-License-Identifier: Apache-2.0
"""One process with the pass off or on: runs the program files that its parent sends, one JSON object per line.

    worker.py CPU_SECONDS MEMORY_BYTES < {"file": FILE, "parts": ["cpu", "gpu", "reference"], "results": FILE}

prints a line when a part begins, {"begins": PART}, and one at the end, with the result of each part. Every part has a
limit on CPU time, and the process one on memory (`pair.Limits`); they apply inside the compiler too.
"""

from __future__ import annotations

import json
import logging
import pathlib
import pickle
import re
import resource
import signal
import sys
import traceback
from typing import Any

_COLLECTIVES = re.compile(
    r" (all-reduce|all-gather|reduce-scatter|all-to-all|ragged-all-to-all|collective-permute|collective-broadcast)"
    r"(?:-start)?\("
)
_CALL = 'custom_call_target="jax_oneshot'


class _Messages(logging.Handler):
    """Collects jax_oneshot's warnings and its messages about failures."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING or "failed" in text:
            self.texts.append(text)


def counts(text: str) -> dict[str, int]:
    """Collectives in compiled HLO text by kind, and one-shot calls as `call`."""
    found: dict[str, int] = {}
    for match in _COLLECTIVES.finditer(text):
        found[match[1]] = found.get(match[1], 0) + 1
    return {**found, "call": text.count(_CALL)}


def _namespace(path: pathlib.Path) -> dict[str, Any]:
    module: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), module)
    return module


def last_lines(text: str) -> str:
    """The end of a traceback: the error itself, without JAX's note on where it comes from."""
    kept = [line for line in text.splitlines() if line.strip()]
    start = max((i for i, line in enumerate(kept) if re.match(r"[\w.]+(Error|Exception)\b", line)), default=0)
    return "\n".join(kept[start:])[:2000]


def run_cpu(path: pathlib.Path, results: pathlib.Path) -> dict[str, Any]:
    """Runs the program twice; writes its outputs into `results`."""
    import jax
    import numpy as np

    module = _namespace(path)
    function, places = module["build"](jax.devices()[:8])
    compiled = function.lower(*map(jax.device_put, module["arrays"](), places)).compile()
    runs = [
        [np.asarray(output) for output in compiled(*map(jax.device_put, module["arrays"](), places))] for _ in range(2)
    ]
    again = [first.tobytes() == second.tobytes() for first, second in zip(*runs, strict=True)]
    results.write_bytes(pickle.dumps(runs[0]))
    return {"counts": counts(compiled.as_text()), "same_again": all(again)}


def run_gpu(path: pathlib.Path, results: pathlib.Path) -> dict[str, Any]:
    """Compiles the program for 8 abstract GPUs."""
    import jax
    from jax_oneshot.demo import gpu_compile

    module = _namespace(path)
    function, places = module["build"](gpu_compile.topology_devices())
    shapes = [
        jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=place)
        for array, place in zip(module["arrays"](), places, strict=True)
    ]
    return {"counts": counts(function.lower(*shapes).compile().as_text())}


def run_reference(path: pathlib.Path, results: pathlib.Path) -> dict[str, Any]:
    """Runs the program in float64; writes the samples into `results` with the suffix `.reference`."""
    from programs import reference

    samples = reference.samples(path.read_text(), str(path))
    results.with_suffix(".reference").write_bytes(pickle.dumps(samples))
    return {}


PARTS = {"cpu": run_cpu, "gpu": run_gpu, "reference": run_reference}


def limit_memory(more: int) -> None:
    """Limits this process to `more` bytes beyond those already mapped; then malloc fails, in XLA and the pass too."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, resource.RLIM_INFINITY))


def main() -> None:
    """Serves the parent until it closes stdin."""
    cpu_seconds, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    answers = sys.stdout
    sys.stdout = sys.stderr
    import jax

    jax.devices()
    messages = _Messages()
    logger = logging.getLogger("jax_oneshot")
    logger.addHandler(messages)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    limit_memory(memory_bytes)
    for line in sys.stdin:
        job = json.loads(line)
        done: dict[str, Any] = {}
        for part in job["parts"]:
            print(json.dumps({"begins": part}), file=answers, flush=True)
            messages.texts.clear()
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            try:
                done[part] = PARTS[part](pathlib.Path(job["file"]), pathlib.Path(job["results"]))
            except Exception:
                done[part] = {"error": last_lines(traceback.format_exc())}
            signal.setitimer(signal.ITIMER_PROF, 0)
            done[part]["messages"] = list(messages.texts)
        print(json.dumps({"done": done}), file=answers, flush=True)
        jax.clear_caches()


if __name__ == "__main__":
    main()
