# SPDX-License-Identifier: Apache-2.0
"""Find the rewrite that makes a program go wrong.

CMD is run with all rewrites, with none, and then with limits in between (JAX_ONESHOT_LIMIT) until bisection has found
one rewrite. It must exit with status 0 if its result is right and with another status if it is wrong; with --stdout,
standard output that differs from that of a run without rewrites also counts as wrong. CMD must compile modules in the
same order every time. The persistent compilation cache is off while it runs.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from jax_oneshot import bisect, dumps

_CANNOT_START = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command line."""
    parser.usage = "jax-oneshot bisect [-h] [--stdout] [--keep DIR] -- CMD ..."
    parser.add_argument(
        "--stdout", action="store_true", help="also require CMD's stdout to equal that of a run without rewrites"
    )
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="keep the dump of the first wrong run here")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD", help="the program and its arguments")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; returns 0 if a rewrite was found, 1 if there is none to find, 2 if CMD cannot be started."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        print(
            "jax-oneshot bisect: expected `-- CMD ...`, the program to run; nothing came after the options",
            file=sys.stderr,
        )
        return _CANNOT_START
    if arguments.keep and arguments.keep.exists() and any(arguments.keep.iterdir()):
        print(f"jax-oneshot bisect: {arguments.keep} is not empty; expected a new folder after --keep", file=sys.stderr)
        return _CANNOT_START
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        try:
            expected = _stdout_without_rewrites(command) if arguments.stdout else None
            once = functools.partial(_run, command, pathlib.Path(temporary) / "runs", expected)
            number = bisect.first_wrong(once, lambda text: print(text, file=sys.stderr, flush=True))
            _start(command, number, folder)
        except OSError as error:
            print(f"jax-oneshot bisect: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
            return _CANNOT_START
        except bisect.NothingToFindError as error:
            print(f"jax-oneshot bisect: {error}", file=sys.stderr)
            return 1
        print(_described(number, folder))
        if arguments.keep:
            print(f"dump: {folder}; `jax-oneshot report {folder}` shows it")
    return 0


def _run(command: Sequence[str], folder: pathlib.Path, expected: bytes | None, limit: int | None) -> bisect.Run:
    dump = folder / ("all" if limit is None else str(limit))
    done = _start(command, limit, dump)
    is_right = done.returncode == 0 and (expected is None or done.stdout == expected)
    return bisect.Run(is_right, max((entry["rewrite"] for _, _, entry in _rewrites(dump)), default=0))


def _start(command: Sequence[str], limit: int | None, dump: pathlib.Path) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "JAX_ONESHOT_LIMIT"}
    environment |= {
        "JAX_ONESHOT": "1",
        "JAX_ONESHOT_DUMP_TO": str(dump),
        "JAX_ENABLE_COMPILATION_CACHE": "false",  # cached modules are not compiled, and so not counted
    }
    if limit is not None:
        environment["JAX_ONESHOT_LIMIT"] = str(limit)
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)


def _stdout_without_rewrites(command: Sequence[str]) -> bytes:
    environment = {**os.environ, "JAX_ONESHOT": "0"}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False).stdout


def _rewrites(dump: pathlib.Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(file name of the report, report, entry) of every all-reduce that was rewritten."""
    for path in sorted(dump.glob(f"*{dumps.REPORT}")):
        report = json.loads(path.read_text())
        for entry in report["all_reduces"]:
            if entry["rewrite"] is not None:
                yield path.name, report, entry


def _described(number: int, dump: pathlib.Path) -> str:
    found = [one for one in _rewrites(dump) if one[2]["rewrite"] == number]
    if not found:
        return (
            f"rewrite {number}: wrong, but not made again in the last run; does the program compile in the same order?"
        )
    name, report, entry = found[0]
    message = f"{entry['shape']} on {entry['group_size']} ranks"
    return "\n".join(
        [
            f"rewrite {number} is the first with which the program goes wrong:",
            f"  module       {report['module']} ({report['platform']}), {name}",
            f"  all-reduce   %{entry['name']} in %{entry['computation']}, {message}",
            f"  verdict      {entry['verdict']}; {entry['reason']}",
            f"  row program  {entry['row_program']}",
        ]
    )
