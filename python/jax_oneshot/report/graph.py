# SPDX-License-Identifier: Apache-2.0
"""Draws a row program, with the HLO values its call reads and returns, as SVG.

Operands are at the top, results at the bottom, with one box per operation between them; the wide box is the all-reduce.
A dashed box has one value per row, or a scalar. Constants are shown in the operation that reads them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from jax_oneshot.report import row_program
from jax_oneshot.report.calls import Value
from jax_oneshot.report.graph_layout import Layout, lay_out
from jax_oneshot.report.row_program import RowProgram, Statement

_LAYER_HEIGHT = 44.0
_BOX_HEIGHT = 28.0
_GAP = 16.0
_MARGIN = 8.0
_CHARACTER = 6.7  # of the 11 px monospace face the labels are set in
_WIDTH_STEP = 36.0
_LONGEST = 30  # characters of a label
_SYMBOLS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷"}  # noqa: RUF001 - typographic on purpose


@dataclasses.dataclass(frozen=True)
class _Box:
    """Attributes: its text; its CSS class; its tooltip."""

    label: str
    kind: str
    title: str

    @property
    def width(self) -> float:
        least = {"row": 76.0, "vec": 76.0, "exchange": 130.0}.get(self.kind, 44.0)
        width = max(least, len(self.label) * _CHARACTER + 16)
        # Names differ from layer to layer; with few distinct widths, equal programs share one cached layout.
        return math.ceil(width / _WIDTH_STEP) * _WIDTH_STEP if self.kind in ("in", "out") else width


def draw(program: RowProgram, reads: Sequence[Value], returns: Sequence[Value]) -> str:
    """The drawing as an <svg> element. Values missing from `reads` or `returns` get the program's own names."""
    boxes, edges = _boxes(program, reads, returns)
    layout = lay_out(tuple((name, box.width) for name, box in boxes.items()), tuple(edges), _GAP)
    height = (1 + max(layout.layer.values(), default=0)) * _LAYER_HEIGHT + 2 * _MARGIN
    width = layout.width + 2 * _MARGIN
    parts = [
        f'<svg class="graph" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        'role="img" aria-label="What the call computes">'
    ]
    parts += [_edge(points, boxes[target]) for (_, target), points in layout.paths.items()]
    parts += [_box(boxes[name], *_centre(layout, name)) for name in boxes]
    return "".join([*parts, "</svg>"])


def _boxes(
    program: RowProgram, reads: Sequence[Value], returns: Sequence[Value]
) -> tuple[dict[str, _Box], list[tuple[str, str]]]:
    """Boxes by name, operands before readers; and the edges between them."""
    boxes: dict[str, _Box] = {}
    edges: list[tuple[str, str]] = []
    for one in program.statements:
        if one.op == "constant":
            continue
        if one.reads_input:
            boxes[one.name if one.op == "load" else one.attribute] = _operand_box(program, one, reads)
        if one.op != "load":
            boxes[one.name] = _operation_box(program, one)
            sources = [one.attribute] if one.reads_input else list(one.operands)
            edges += [(source, one.name) for source in sources if source in boxes]
    for number, output in enumerate(program.outputs):
        value = returns[number] if number < len(returns) else Value(f"result {number}", output.kind)
        boxes[f"out{number}"] = _Box(
            _short(f"%{value.name}"), "out", f"%{value.name}: {value.shape}, a result of the call"
        )
        if output.name in boxes:
            edges.append((output.name, f"out{number}"))
    return boxes, edges


def _operand_box(program: RowProgram, one: Statement, reads: Sequence[Value]) -> _Box:
    number = int(one.attribute[1:])
    value = reads[number] if number < len(reads) else Value(one.attribute, program.inputs[number].kind)
    role = {"local": "read by this rank alone"}.get(program.inputs[number].role, "of every rank")
    return _Box(_short(f"%{value.name}"), "in", f"%{value.name}: {value.shape}, {role}")


def _operation_box(program: RowProgram, one: Statement) -> _Box:
    title = f"{one.name} = {row_program.expression(program, one)}: {one.dtype} {one.kind}"
    if one.op == "all_reduce":
        role = program.inputs[int(one.attribute[1:])].role
        return _Box(f"{role} over ranks", "exchange", title)
    if one.op == "all_gather":
        return _Box("gather from ranks", "exchange", title)
    return _Box(_label(program, one), one.kind, title)


def _label(program: RowProgram, one: Statement) -> str:
    if one.op == "convert":
        return f"→ {one.dtype}"
    constants = [program.statement(name).attribute for name in one.operands if program.statement(name).op == "constant"]
    if one.op == "multiply" and one.operands[0] == one.operands[1]:
        return "square"
    if one.op in _SYMBOLS:
        first_is_constant = bool(one.operands) and program.statement(one.operands[0]).op == "constant"
        if one.op in ("subtract", "divide") and first_is_constant:
            return f"{constants[0]} {_SYMBOLS[one.op]}"
        return " ".join([_SYMBOLS[one.op], *constants])
    name = {"reduce_sum": "row sum", "reduce_max": "row max", "reduce_min": "row min"}.get(one.op, one.op)
    return _short(" ".join([name.replace("_", " "), *constants]))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2 - 1]}…{text[-_LONGEST // 2 :]}"


def _centre(layout: Layout, name: str) -> tuple[float, float]:
    return layout.x[name] + _MARGIN, _y(layout.layer[name])


def _y(layer: int) -> float:
    return _MARGIN + _LAYER_HEIGHT * (layer + 0.5)


def _box(box: _Box, x: float, y: float) -> str:
    left, top = x - box.width / 2, y - _BOX_HEIGHT / 2
    radius = 14 if box.kind in ("in", "out") else 4
    return (
        f"<g class={quoteattr('n ' + box.kind)}><title>{escape(box.title)}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{_BOX_HEIGHT:.0f}" rx="{radius}"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}">{escape(box.label)}</text></g>'
    )


def _edge(points: Sequence[tuple[float, int]], target: _Box) -> str:
    places = [(x + _MARGIN, _y(layer)) for x, layer in points]
    (x, y), *rest = places
    path = f"M{x:.1f},{y + _BOX_HEIGHT / 2:.1f}"
    y += _BOX_HEIGHT / 2
    for number, (to_x, to_y) in enumerate(rest):
        # Bends are points; only the last node is a box, and the line ends at its top.
        end_y = to_y - _BOX_HEIGHT / 2 if number == len(rest) - 1 else to_y
        middle = (y + end_y) / 2
        path += f"C{x:.1f},{middle:.1f} {to_x:.1f},{middle:.1f} {to_x:.1f},{end_y:.1f}"
        x, y = to_x, end_y
    narrow = " narrow" if target.kind in ("rowscalar", "scalar") else ""
    return f'<path class="e{narrow}" d="{path}"/>'
