# SPDX-License-Identifier: Apache-2.0
"""The drawing of a row program: edges point downwards, boxes of a layer never overlap, twenty boxes stay legible."""

from __future__ import annotations

import itertools
import pathlib

import pytest
import report_folder
from jax_oneshot.report import graph, row_program
from jax_oneshot.report.graph_layout import Layout, lay_out

GAP = 10.0


def place(widths: dict[str, float], *edges: str) -> Layout:
    """`edges` are written `a>b`."""
    pairs = tuple((edge.split(">")[0], edge.split(">")[1]) for edge in edges)
    return lay_out(tuple(widths.items()), pairs, GAP)


NORM = dict.fromkeys(("a", "sum", "square", "mean", "rsqrt", "times", "g", "out"), 60.0)
NORM_EDGES = ("a>sum", "sum>square", "square>mean", "mean>rsqrt", "rsqrt>times", "sum>times", "g>out", "times>out")


def test_every_box_is_below_what_it_reads() -> None:
    layout = place(NORM, *NORM_EDGES)
    for edge in NORM_EDGES:
        source, target = edge.split(">")
        assert layout.layer[source] < layout.layer[target]


def test_an_operand_stands_right_above_its_first_reader() -> None:
    layout = place(NORM, *NORM_EDGES)
    assert layout.layer["g"] == layout.layer["out"] - 1


def test_boxes_of_one_layer_keep_their_distance() -> None:
    widths = {"top": 40.0, "a": 80.0, "b": 30.0, "c": 120.0, "end": 40.0}
    layout = place(widths, "top>a", "top>b", "top>c", "a>end", "b>end", "c>end")
    for one, other in itertools.combinations("abc", 2):
        assert layout.layer[one] == layout.layer[other]
        assert abs(layout.x[one] - layout.x[other]) >= (widths[one] + widths[other]) / 2 + GAP - 1e-6


def test_an_edge_that_passes_layers_bends_in_each() -> None:
    layout = place(NORM, *NORM_EDGES)
    assert [at for _, at in layout.paths["sum", "times"]] == list(range(layout.layer["sum"], layout.layer["times"] + 1))


def test_everything_is_within_the_drawing() -> None:
    layout = place(NORM, *NORM_EDGES)
    assert min(x - NORM[name] / 2 for name, x in layout.x.items()) >= 0
    assert max(x + NORM[name] / 2 for name, x in layout.x.items()) <= layout.width


def test_nothing_is_laid_out_as_nothing() -> None:
    assert place({}) == Layout({}, {}, {}, 0.0)


def test_a_region_of_twenty_operations_fits_a_screen(tmp_path: pathlib.Path) -> None:
    chain = "; ".join(f"x{i}: bf16 row = abs x{i - 1}" for i in range(1, 20))
    program = row_program.parse(f"v1 (a0: sum bf16 row) {{ x0: bf16 row = all_reduce a0; {chain} }} -> (x19: row)")
    drawing = graph.draw(program, [], [])
    width, height = (float(drawing.split(f' {side}="')[1].split('"')[0]) for side in ("width", "height"))
    assert drawing.count("<rect") == 22
    assert width < 300
    assert height < 1000


def test_names_of_the_call_stand_at_its_operands_and_results(tmp_path: pathlib.Path) -> None:
    report_folder.write(tmp_path)
    module = report_folder.read(tmp_path)
    call = module.calls[0]
    assert call is not None
    program = row_program.parse(module.summary["all_reduces"][0]["row_program"])
    drawing = graph.draw(program, call.reads, call.returns)
    for label in ("%d", "%x", "%g", "%y", "%normed", "sum over ranks", "row sum", "square", "× 0.015625"):  # noqa: RUF001
        assert f">{label}</text>" in drawing
    assert "%g: bf16[64], read by this rank alone" in drawing


@pytest.mark.parametrize("name", ["a<b", "x" * 200])
def test_any_name_makes_a_well_formed_drawing(name: str) -> None:
    from xml.etree import ElementTree

    from jax_oneshot.report.calls import Value

    program = row_program.parse("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)")
    drawing = ElementTree.fromstring(graph.draw(program, [Value(name, "bf16[8]")], [Value(name, "bf16[8]")]))
    assert float(drawing.get("width", "0")) < 400
