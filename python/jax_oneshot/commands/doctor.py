# SPDX-License-Identifier: Apache-2.0
"""Say what is installed, what is loaded, what would prevent fusion here, and how to fix it.

Exit status 0: fusion works, or will work once it is switched on, on every platform present. 1: something prevents it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Sequence

from jax_oneshot.doctor import local_checks, process_checks, smoke, verdicts
from jax_oneshot.doctor.findings import Finding, Verdict

_SIGNS = {"ok": "ok", "info": "", "warn": "note", "stop": "STOP"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command line."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--smoke", action="store_true", help="also run a small program on two devices, off and on, and compare"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; returns 0 or 1."""
    findings = [*local_checks.look(os.environ), *process_checks.look()]
    judged = verdicts.judge(findings)
    if arguments.smoke:
        findings += [smoke.smoke(verdict.platform) for verdict in judged if verdict.state == "works"]
        judged = verdicts.judge(findings)
    if arguments.json:
        print(json.dumps(_to_json(findings, judged), indent=1))
    else:
        _print(findings, judged)
    return 0 if verdicts.is_well(judged) else 1


def _to_json(findings: Sequence[Finding], judged: Sequence[Verdict]) -> dict[str, object]:
    return {
        "schema": 1,
        "ok": verdicts.is_well(judged),
        "platforms": {one.platform: dataclasses.asdict(one) for one in judged},
        "findings": [dataclasses.asdict(one) for one in findings],
    }


def _print(findings: Sequence[Finding], judged: Sequence[Verdict]) -> None:
    width = max(len(one.topic) for one in findings)
    for one in findings:
        print(f"{_SIGNS[one.level]:>4}  {one.topic:{width}}  {one.value}")
        if one.fix:
            print(f"      {'':{width}}  -> {one.fix}")
    for verdict in judged:
        print(f"\n{verdict.platform}: {verdict.sentence}")
        for fix in verdict.fixes:
            print(f"  -> {fix}")
