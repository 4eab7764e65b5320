# SPDX-License-Identifier: Apache-2.0
"""The command line `jax-oneshot`: parses it, runs the command, returns its exit status.

    0  success        1  failure: bad input, or a check of the command failed        2  wrong command line

Only the chosen command's module is imported, so `--help` is quick.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

import jax_oneshot

# Command: (module, one line of help). A module offers add_arguments(parser) and run(arguments) -> exit status.
_COMMANDS = {
    "demo": ("jax_oneshot.commands.demo", "run a tensor-parallel decoder with the pass off and on, and compare"),
    "opt": ("jax_oneshot.commands.opt", "run the pass alone on a file with one HLO module"),
    "report": ("jax_oneshot.commands.report", "show a dump folder as one page: before, after, and why"),
    "doctor": ("jax_oneshot.commands.doctor", "say what would prevent fusion here, and how to fix it"),
    "bisect": ("jax_oneshot.commands.bisect", "find the rewrite that makes a program go wrong"),
    "bench": ("jax_oneshot.commands.bench", "measure the pass, the kernels and the demo"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. `argv` is the command line without the program's name; default: this process's own."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    # Parsed in two steps: the first finds the command, so that only its module is imported for the second.
    chosen = parser.parse_args(arguments[:1]).command
    module = importlib.import_module(_COMMANDS[chosen][0])
    command_parser = argparse.ArgumentParser(
        prog=f"jax-oneshot {chosen}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(command_parser)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    return _run(module.run, command_parser.parse_args(arguments[1:]))


def _run(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    try:
        status = run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader (`| head`) closed the pipe. Redirect stdout, or Python reports an error when it flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\njax-oneshot: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:8}{text}" for name, (_, text) in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="jax-oneshot",
        description="Fuses small all-reduces and the row-wise math after them, inside XLA.\n"
        "To have it work on a model, set JAX_ONESHOT=1 and run the model; these commands show what it does.",
        epilog=f"commands:\n{lines}\n\n`jax-oneshot COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jax-oneshot {jax_oneshot.__version__}")
    parser.add_argument("command", choices=_COMMANDS, metavar="COMMAND", help="one of the commands below")
    return parser
