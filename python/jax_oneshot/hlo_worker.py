# SPDX-License-Identifier: Apache-2.0
"""Converts an HLO module between text and proto, stdin to stdout, in a separate process.

    python -m jax_oneshot.hlo_worker to-proto < module.hlo.txt > module.pb
    python -m jax_oneshot.hlo_worker to-text  < module.pb      > module.hlo.txt

XLA's parsers abort the process on some malformed modules; `convert` runs this file as a subprocess and turns an abort
into an error.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from typing import Literal

from jax_oneshot import jax_internals

Direction = Literal["to-proto", "to-text"]

_WORKER = ["-m", "jax_oneshot.hlo_worker"]


class HloError(ValueError):
    """XLA rejects the module; the message is XLA's reason."""


def convert(module: bytes, direction: Direction) -> bytes:
    """HLO text (UTF-8) to a serialized HloModuleProto, or back, in a subprocess.

    Raises:
      HloError: XLA rejects the module or aborts on it.
    """
    package_root = str(pathlib.Path(__file__).resolve().parents[1])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, *_WORKER, direction],
        input=module,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    if done.returncode != 0:
        raise HloError(_reason(done.returncode, done.stderr.decode(errors="replace")))
    return done.stdout


def _reason(returncode: int, stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    if returncode >= 0:
        return "\n".join(lines)
    fatal = next((line for line in lines if "Check failed" in line), "")
    return f"XLA ended with {signal.Signals(-returncode).name} while it read the module. {fatal}".strip()


def main(arguments: list[str]) -> int:
    """The worker's side: one conversion, errors as plain text on stderr."""
    module = sys.stdin.buffer.read()
    try:
        if arguments == ["to-proto"]:
            sys.stdout.buffer.write(jax_internals.hlo_proto(module.decode()))
        elif arguments == ["to-text"]:
            sys.stdout.buffer.write(jax_internals.hlo_text(module).encode())
        else:
            print(f"expected to-proto or to-text, not {arguments}", file=sys.stderr)
            return 2
    except (RuntimeError, ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
