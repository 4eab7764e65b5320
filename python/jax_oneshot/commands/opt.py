# SPDX-License-Identifier: Apache-2.0
"""Run the pass alone: one HLO module in, the rewritten module out.

IN is a serialized HloModuleProto or HLO text (told apart by content), as it is before the scheduler: for example a
dump's *.before.hlo.txt. The result goes to stdout, a summary line to stderr. JAX_ONESHOT_MAX_BYTES,
JAX_ONESHOT_TIMEOUT_S, JAX_ONESHOT_LIMIT and JAX_ONESHOT_GRAPH_CALLS apply.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import sys
import time
from typing import Any

from jax_oneshot import dumps, hlo_worker, message_limits, native
from jax_oneshot.config import PLATFORMS, Config, ConfigError, Platform
from jax_oneshot.hook import PassResult, summary

_STD = "-"
_CONTROL_CHARACTERS = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_MODULE_HEADER = re.compile(r"^\s*HloModule\b", re.MULTILINE)


class InputError(ValueError):
    """The input is not a module that the pass can process; exit status 1."""


class UsageError(ValueError):
    """The command line or a variable is invalid, or a file cannot be read or written; exit status 2."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command line, a public interface: do not rename its flags."""
    parser.add_argument("input", metavar="IN", help="file with one HLO module; - for stdin")
    parser.add_argument("-o", "--output", metavar="OUT", default=_STD, help="output file (default: stdout)")
    parser.add_argument(
        "--platform", choices=PLATFORMS, default="cpu", help="platform that the module is compiled for (default: cpu)"
    )
    parser.add_argument("--emit", choices=("text", "proto"), default="text", help="format of OUT (default: text)")
    parser.add_argument("--report", metavar="FILE", help="write the verdict on every all-reduce as JSON; - for stderr")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; returns the exit status of cli.py's table."""
    try:
        _optimize(arguments)
    except UsageError as error:
        return _fail(error, 2)
    except (InputError, native.NativeMissingError) as error:
        return _fail(error, 1)
    return 0


def _fail(error: Exception, status: int) -> int:
    print(f"jax-oneshot opt: {error}", file=sys.stderr)
    return status


def _optimize(arguments: argparse.Namespace) -> None:
    module = read_module(arguments.input)
    result, pass_ms = _run_pass(module, _shown(arguments.input), arguments.platform)
    report = dumps.build_report(result.report, arguments.platform, pass_ms)
    output = module if result.module is None else result.module
    if arguments.emit == "text":
        output = _to_text(output)
    _write(arguments.output, output, sys.stdout.buffer)
    if arguments.report:
        _write(arguments.report, dumps.report_text(report).encode(), sys.stderr.buffer)
    unchanged = "" if result.module is not None else "unchanged; "
    print(f"jax-oneshot: {unchanged}{summary(report)}", file=sys.stderr)


def read_module(name: str) -> bytes:
    """A serialized HloModuleProto from a file with either notation.

    Raises:
      UsageError: the file cannot be read.
      InputError: it is empty, or XLA cannot read it as an HLO module.
    """
    content = _read(name)
    name = _shown(name)
    if not content:
        raise InputError(f"{name} is empty; expected HLO text or a serialized HloModuleProto")
    text = _as_text(content)
    if text is None:
        _check_proto(content, name)
        return content
    if not _MODULE_HEADER.search(text):
        raise InputError(
            f"{name} is text but no HLO module; expected a line that begins with `HloModule`, "
            f"found first {text.strip()[:60]!r}"
        )
    try:
        return hlo_worker.convert(content, "to-proto")
    except hlo_worker.HloError as error:
        raise InputError(f"{name} is no complete HLO module; XLA says: {error}") from error


def _check_proto(content: bytes, name: str) -> None:
    # The pass does not parse modules without an all-reduce, so it would return garbage unchanged.
    try:
        hlo_worker.convert(content, "to-text")
    except hlo_worker.HloError as error:
        raise InputError(
            f"{name} is no complete serialized HloModuleProto; XLA says: {error}. "
            "It may be cut short, or an HloProto (XLA's *.hlo.pb dumps are): then give XLA's text dump instead."
        ) from error


def _as_text(content: bytes) -> str | None:
    # A serialized module has control characters near its start: the tags and lengths of its fields.
    if _CONTROL_CHARACTERS.search(content):
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _run_pass(module: bytes, name: str, platform: Platform) -> tuple[PassResult, float]:
    try:
        config = Config.from_environment(os.environ)
    except ConfigError as error:
        raise UsageError(error) from error
    library: Any = native.load()
    start = time.perf_counter()
    try:
        result: PassResult = library.run_pass(
            module,
            platform=platform,
            max_bytes=config.limits_for(platform),
            two_shot_from=message_limits.default_two_shot_from(platform),
            timeout_ms=config.timeout_ms_for(platform),
            single_process=True,
            max_rewrites=-1 if config.limit is None else config.limit,
            combine=message_limits.XLA_COMBINES,
            calls_per_graph=-1 if config.calls_per_graph is None else config.calls_per_graph,
        )
    except ValueError as error:
        raise InputError(f"the pass cannot work on {name}, though XLA reads it (please report it): {error}") from error
    return result, (time.perf_counter() - start) * 1e3


def _to_text(module: bytes) -> bytes:
    try:
        return hlo_worker.convert(module, "to-text")
    except hlo_worker.HloError as error:
        raise InputError(
            f"XLA refuses the module as the pass left it (please report it; --emit proto writes it): {error}"
        ) from error


def _shown(name: str) -> str:
    return "stdin" if name == _STD else name


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == _STD else pathlib.Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error


def _write(name: str, content: bytes, standard: Any) -> None:
    if name == _STD:
        standard.write(content)
        standard.flush()
        return
    try:
        dumps.write_atomically(pathlib.Path(name), content)
    except OSError as error:
        raise UsageError(f"cannot write {name}: {error.strerror}") from error
