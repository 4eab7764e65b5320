# SPDX-License-Identifier: Apache-2.0
"""Show a dump folder as one page: every module before and after the pass, and the verdict on every all-reduce.

DIR is the folder that JAX_ONESHOT_DUMP_TO named. The page is one self-contained file that needs no network access.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from jax_oneshot import device_trace, dumps
from jax_oneshot.report import document as document_lib
from jax_oneshot.report import dump_folder, measured, page, terminal

PAGE = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command line."""
    parser.add_argument("folder", metavar="DIR", type=pathlib.Path, help="dump folder (JAX_ONESHOT_DUMP_TO)")
    parser.add_argument("-o", "--output", metavar="FILE.html", type=pathlib.Path, help=f"page (default: DIR/{PAGE})")
    parser.add_argument(
        "--profile",
        metavar="TRACE",
        type=pathlib.Path,
        help="trace folder of jax.profiler.trace; adds the kernel time of each call",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="print tables instead of writing a page")
    form.add_argument("--json", action="store_true", help="print everything as JSON instead of writing a page")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; returns the exit status of cli.py's table."""
    try:
        read = dump_folder.read(arguments.folder)
    except dump_folder.FolderError as error:
        print(f"jax-oneshot report: {error}", file=sys.stderr)
        return 1
    modules = [document_lib.read_module(dumped) for dumped in read.modules]
    document = document_lib.document(read, modules)
    if arguments.profile is not None:
        try:
            measured.add_to(document, device_trace.read(str(arguments.profile)))
        except ValueError as error:
            print(f"jax-oneshot report: {error}", file=sys.stderr)
            return 1
    if arguments.json:
        print(json.dumps(document, indent=1))
        return 0
    if arguments.text:
        terminal.print_document(document, Console())
        return 0
    path = arguments.output or arguments.folder / PAGE
    try:
        _write(path, document, modules, arguments.folder)
    except OSError as error:
        print(f"jax-oneshot report: cannot write {path}: {error.strerror}; name another file with -o", file=sys.stderr)
        return 2
    for problem in document["problems"]:
        print(f"jax-oneshot report: {problem}", file=sys.stderr)
    print(path)
    return 0


def write_page(folder: pathlib.Path) -> pathlib.Path:
    """Writes a dump folder's page into the folder and returns the page's path. Raises FolderError, OSError."""
    read = dump_folder.read(folder)
    modules = [document_lib.read_module(dumped) for dumped in read.modules]
    _write(folder / PAGE, document_lib.document(read, modules), modules, folder)
    return folder / PAGE


def _write(
    path: pathlib.Path,
    document: dict[str, Any],
    modules: Sequence[document_lib.ReadModule],
    folder: pathlib.Path,
) -> None:
    dumps.write_atomically(path, page.render(document, modules, folder, path).encode())
