# SPDX-License-Identifier: Apache-2.0
"""Fuzzes whole programs: `python -m programs --seconds 600` (with tests/ on the path; `make fuzz` does).

Prints every program that fails, as a self-contained file, and writes it into the folder of findings.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import pathlib
import sys
import time

from programs import generate, shrink
from programs.pair import KINDS, Outcome, Pair
from programs.program import Program


def main() -> int:
    """Returns exit status 1 if anything was found."""
    options = _options()
    tally: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + options.seconds
    with Pair(options.folder / "work", platforms=options.platforms.split(","), jax=options.jax) as pair:
        for seed in itertools.count(options.first):
            if seed >= options.first + options.count or time.monotonic() > end:
                break
            program = generate.program(seed)
            outcome = pair.run(program)
            tally["programs"] += 1
            for platform, calls in outcome.calls.items():
                tally[f"calls on {platform}"] += calls
            for kind in {finding.kind for finding in outcome.findings} - set(options.ignore.split(",")):
                tally[kind] += 1
                _tell(options, pair, program, outcome, kind)
    print(f"programs from seed {options.first}: " + ", ".join(f"{tally[name]} {name}" for name in tally), flush=True)
    return 1 if any(tally[kind] for kind in KINDS) else 0


def _tell(options: argparse.Namespace, pair: Pair, program: Program, outcome: Outcome, kind: str) -> None:
    lines = [f"{f.kind}, {f.platform or 'any platform'}: {f.what}" for f in outcome.findings if f.kind == kind]
    if options.shrink:
        where = [f.platform for f in outcome.findings if f.kind == kind and f.platform][:1]
        program = shrink.shrunk(program, lambda smaller: kind in {f.kind for f in pair.run(smaller, where).findings})
    path = options.folder / f"{kind.replace(' ', '_')}_{program.seed}.py"
    path.write_text("".join(f"# {line}\n" for text in lines for line in text.splitlines()) + program.text())
    print(f"seed {program.seed}: {' / '.join(lines)[:600]}\n  {path}", flush=True)
    if options.text:
        print(program.text(), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="programs", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=sys.maxsize, help="how many seeds")
    parser.add_argument("--seconds", type=float, default=60, help="no program starts later than that")
    parser.add_argument("--platforms", default="cpu,gpu", help="cpu runs, gpu compiles")
    parser.add_argument("--ignore", default="", help=f"kinds of findings that are not told, of: {', '.join(KINDS)}")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/fuzz/programs"))
    parser.add_argument("--jax", type=pathlib.Path, help="a folder with another version of jax")
    parser.add_argument("--shrink", action="store_true", help="make what is found smaller first")
    parser.add_argument("--text", action="store_true", help="print the programs, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
