# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot report`: its input, its JSON, tables and page, and how it handles broken folders."""

from __future__ import annotations

import base64
import gzip
import json
import pathlib
import re
from typing import Any

import pytest
import report_folder
from jax_oneshot import cli
from jax_oneshot.report import row_program
from jax_oneshot.report.hlo_text import HloText


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "dumps"
    report_folder.write(path)
    return path


def report(*arguments: object) -> int:
    return cli.main(["report", *map(str, arguments)])


def unpacked(page: str, module: int) -> dict[str, Any]:
    """The contents that the browser unpacks for a module."""
    found = re.search(rf'<script type="application/gzip" id="p{module}">([^<]*)</script>', page)
    assert found
    contents: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return contents


def test_the_json_is_the_golden_one(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(folder, "--json") == 0
    found, golden = json.loads(capsys.readouterr().out), json.loads(report_folder.GOLDEN.read_text())
    assert found == golden, "if the change is intended, update it: report_folder.py says how"


def test_a_call_has_what_it_reads_returns_and_replaces(folder: pathlib.Path) -> None:
    module = report_folder.read(folder)
    fused, plain = module.calls
    assert fused is not None
    assert plain is not None
    assert fused.all_reduces == ["all-reduce.1"]
    assert [(one.name, one.shape) for one in fused.reads] == [
        ("d", "bf16[8,64]"),
        ("x", "bf16[8,64]"),
        ("g", "bf16[64]"),
    ]
    assert [(one.name, one.shape) for one in fused.returns] == [("y", "bf16[8,64]"), ("normed", "bf16[8,64]")]
    replaced = [module.before.lines[line].split(" = ")[0].strip(" %") for line in fused.lines_before]
    assert {"all-reduce.1", "y", "square", "rs", "gs", "normed"} <= set(replaced)
    assert not {"d", "x", "g", "dot", "wd", "all-reduce.2"} & set(replaced)
    assert [module.before.lines[line].split(" = ")[0].strip(" %") for line in plain.lines_before] == ["all-reduce.2"]


def test_the_terminal_shows_every_all_reduce_and_why_some_were_kept(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert report(folder, "--text") == 0
    out = capsys.readouterr().out
    assert "2 modules, 4 all-reduces (1 fused, 1 plain, 2 kept), 4 -> 4 collectives" in out
    assert "model.py:20" in out
    assert "1 kept: the message of … bytes per rank is above the limit of … bytes" in out
    for name in ("%all-reduce.1", "%all-reduce.2", "%large", "%product"):
        assert name in out


def test_the_page_is_one_file_that_asks_nothing_of_the_network(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert report(folder, "-o", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(|fetch\(|XMLHttpRequest""", page)
    assert not re.search(r"<(script|link|img)[^>]* (src|href)=(?!\"data:,\")", page)
    assert 'href="dumps/0000.jit_decode.cuda.before.hlo.txt"' in page


def test_without_a_name_the_page_lies_in_the_folder(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(folder) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    assert 'href="./0000.jit_decode.cuda.before.hlo.txt"' in (folder / "report.html").read_text()


def test_names_from_the_dump_are_text_not_markup(folder: pathlib.Path) -> None:
    assert report(folder) == 0
    page = (folder / "report.html").read_text()
    assert "jit_logits_&lt;b&gt;" in page
    assert "jit_logits_<b>" not in page


def test_a_module_is_packed_with_both_texts_marks_and_a_drawing(folder: pathlib.Path) -> None:
    assert report(folder) == 0
    contents = unpacked((folder / "report.html").read_text(), 0)
    before, after = contents["before"].splitlines(), contents["after"].splitlines()
    marked = {before[line].split(" = ")[0].strip() for line, number, _ in contents["marks"]["before"] if number == 0}
    assert {"%all-reduce.1", "%y", "%normed"} <= marked
    assert "%dot" not in marked
    calls = [after[line] for line, number, _ in contents["marks"]["after"] if number == 0]
    assert any("custom-call(%d, %x, %g)" in line for line in calls)
    assert "all-reduce.1 = " in before[contents["goals"][0]["before"]]
    assert 'custom_call_target="jax_oneshot.all_reduce"' in after[contents["goals"][0]["after"]]
    assert contents["details"][0].count("<rect") == 3 + 11 + 2  # operands, operations, results
    assert "sum over ranks" in contents["details"][0]


def test_the_text_of_an_unchanged_module_is_packed_once(folder: pathlib.Path) -> None:
    assert report(folder) == 0
    contents = unpacked((folder / "report.html").read_text(), 1)
    assert contents["after"] is None
    assert [mark[1:] for mark in contents["marks"]["after"]] == [[0, "kept"], [1, "kept"]]


def refusal(folder: pathlib.Path, capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 1) -> str:
    assert report(folder, *arguments) == status
    return capsys.readouterr().err


def test_a_folder_that_is_not_there_is_refused(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(tmp_path / "none", capsys)
    assert f"{tmp_path / 'none'} is no folder; expected the one that JAX_ONESHOT_DUMP_TO named" in message


def test_an_empty_folder_is_refused_with_how_to_fill_it(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refusal(tmp_path, capsys)
    assert f"JAX_ONESHOT=1 and JAX_ONESHOT_DUMP_TO={tmp_path}" in message
    assert "`jax-oneshot doctor` says what may be in the way" in message


def test_a_page_that_cannot_be_written_is_refused(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name another file with -o" in refusal(folder, capsys, "-o", folder / "no" / "page.html", status=2)


def test_what_is_broken_in_a_folder_is_told_and_the_rest_shown(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "0007.jit_cut.cpu.report.json").write_text('{"schema": 2, "modu')
    (folder / "0008.jit_new.cpu.report.json").write_text('{"schema": 3}')
    (folder / "0001.jit_logits__b_.cpu.after.hlo.txt").unlink()
    assert report(folder, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["totals"]["all_reduces"] == 4
    cut, new, missing = sorted(found["problems"], reverse=True)[::-1][1:] + sorted(found["problems"])[:1]
    assert "0007.jit_cut.cpu.report.json is no report" in cut
    assert "0008.jit_new.cpu.report.json was written by another version: expected schema 2, got schema 3" in new
    assert "0001.jit_logits__b_.cpu.after.hlo.txt cannot be read: No such file or directory" in missing
    assert report(folder) == 0
    assert "jit_cut" in capsys.readouterr().err


def test_texts_that_do_not_belong_together_still_give_a_page(folder: pathlib.Path) -> None:
    (folder / "0000.jit_decode.cuda.before.hlo.txt").write_text("not HLO\n")
    assert report(folder) == 0
    assert "x14" in unpacked((folder / "report.html").read_text(), 0)["details"][0]


def test_an_instruction_is_found_by_its_name_in_its_computation() -> None:
    text = HloText(
        "%f (a: f32[2]) -> f32[2] {\n"
        "  ROOT %t.1 = f32[2]{0} negate(%a)\n"
        "}\n\n"
        "ENTRY %main (a: f32[2], /*index=1*/b: f32[2]) -> (f32[2], s32[]) {\n"
        '  ROOT %t.1 = (f32[2]{0}, /*index=1*/s32[]) custom-call(%a, /*index=1*/%b.2), custom_call_target="x(y)"\n'
        "}\n"
    )
    assert (text.line_of("f", "t.1"), text.line_of("main", "t.1"), text.line_of("main", "a")) == (1, 5, None)
    assert (text.body_lines("f"), text.body_lines("g")) == ([1], [])


def test_sources_are_found_in_both_notations() -> None:
    old = HloText('%c {\n  %a = f32[] add(%b, %b), metadata={op_name="x" source_file="/m.py" source_line=7}\n}')
    assert (old.source(1), old.op_name(1)) == ("/m.py:7", "x")
    bare = HloText("%c {\n  %a = f32[] add(%b, %b), metadata={stack_frame_id=9}\n}")
    assert (bare.source(1), bare.op_name(1)) == ("", "")


def test_a_row_program_reads_as_expressions() -> None:
    text = (
        "v1 (a0: sum bf16 row, a1: gather bf16 vec, a2: local pred row) { x0: bf16 row = all_reduce a0; "
        "x1: bf16 vec = all_gather a1; x2: bf16 row = subtract x0, x1; x3: f32 row = convert x2; "
        "x4: f32 scalar = constant 2; x5: pred row = compare x3, x4, direction=LT; x6: pred row = load a2; "
        "x7: pred row = and x5, x6; x8: f32 row = negate x3; x9: f32 row = select x7, x3, x8; "
        "x10: f32 rowscalar = reduce_max x9 } -> (x10: rowscalar, x9: row shard)"
    )
    program = row_program.parse(text)
    assert [f"{name} = {value}" for name, value, _ in row_program.readable_lines(program)] == [
        "x0 = all_reduce(a0)",
        "x1 = all_gather(a1)",
        "x2 = x0 - x1",
        "x3 = f32(x2)",
        "x5 = x3 < 2",
        "x7 = x5 & a2",
        "x8 = -x3",
        "x9 = select(x7, x3, x8)",
        "x10 = row_max(x9)",
    ]
    assert [one.is_shard for one in program.outputs] == [False, True]


@pytest.mark.parametrize("text", ["", "v2 () { } -> ()", "v1 (a0: sum bf16 row) { x0 all_reduce a0 } -> (x0: row)"])
def test_text_that_is_no_row_program_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="row program"):
        row_program.parse(text)
