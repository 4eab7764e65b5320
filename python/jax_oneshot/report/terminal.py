# SPDX-License-Identifier: Apache-2.0
"""Prints the report's tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jax_oneshot.report.document import VERDICTS
from jax_oneshot.report.page import readable_bytes

_COLOURS = {"fused": "green", "plain": "blue", "kept": "yellow"}


def print_document(document: dict[str, Any], out: Console) -> None:
    """Modules, then every all-reduce, then why some were kept."""
    totals = document["totals"]
    out.print(
        f"{document['folder']}: {totals['modules']} modules, {totals['all_reduces']} all-reduces "
        f"({', '.join(f'{totals[verdict]} {verdict}' for verdict in VERDICTS)}), "
        f"{totals['collectives_before']} -> {totals['collectives_after']} collectives, {totals['pass_ms']:.1f} ms",
        style="bold",
        markup=False,
        highlight=False,
    )
    out.print(_modules(document))
    for module in document["modules"]:
        out.print(_all_reduces(module))
    for one in document.get("profile", {}).get("collectives", []):
        out.print(f"{one['us']:.1f} us, {one['count']} times: {one['kernel']}", markup=False, highlight=False)
    for group in document["why_not"]:
        out.print(f"[yellow]{group['count']} kept:[/] {escape(group['reason'])}", highlight=False)
        out.print(f"    {group['advice']}", markup=False, highlight=False)
    for problem in document["problems"]:
        out.print(problem, style="yellow", markup=False, highlight=False)


def _modules(document: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("module", no_wrap=True)
    for heading in ("all-reduces", *VERDICTS, "collectives", "bytes", "pass ms"):
        table.add_column(heading, justify="right")
    for module in document["modules"]:
        table.add_row(
            escape(module["stem"]),
            str(len(module["all_reduces"])),
            *(str(module[verdict]) for verdict in VERDICTS),
            f"{module['collectives_before']} -> {module['collectives_after']}",
            readable_bytes(module["bytes"]),
            f"{module['pass_ms']:.1f}",
        )
    return table


def _all_reduces(module: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(module["stem"]), title_justify="left")
    for heading in ("#", "all-reduce", "verdict", "message", "source"):
        table.add_column(heading, no_wrap=True)
    has_times = any(one["measured"] for one in module["all_reduces"])
    if has_times:
        table.add_column("us", justify="right")
    table.add_column("reason", overflow="fold")
    for one in module["all_reduces"]:
        table.add_row(
            str(one["rewrite"] or ""),
            escape(f"%{one['name']}"),
            f"[{_COLOURS.get(one['verdict'], 'default')}]{escape(one['verdict'])}[/]",
            escape(one["shape"]),
            escape(one["source"].rpartition("/")[2]),
            *([f"{one['measured']['us']:.1f}" if one["measured"] else ""] if has_times else []),
            escape(one["reason"]),
        )
    return table
