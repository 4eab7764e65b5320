# SPDX-License-Identifier: Apache-2.0
"""Dumps: file names, the report's schema, unique numbers."""

from __future__ import annotations

import json
import pathlib
import threading
from typing import Any

import pytest
from jax_oneshot import dumps
from report_fixture import NATIVE, ROTATION, VERDICT


def report(module: str = "jit_decode") -> dict[str, Any]:
    return dumps.build_report(NATIVE | {"module": module}, "cpu", 1.23456)


def dumper(folder: pathlib.Path) -> dumps.Dumper:
    return dumps.Dumper(folder, lambda module: f"HloModule {module.decode()}")


def names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_report_has_exactly_the_fields_of_the_contract() -> None:
    assert report() == {
        "schema": 2,
        "module": "jit_decode",
        "platform": "cpu",
        "num_partitions": 8,
        "num_replicas": 1,
        "pass_ms": 1.235,
        "all_reduces": [VERDICT],
        "collectives_before": 2,
        "collectives_after": 1,
        "loops": [{"computation": "main", "collectives_before": 2, "collectives_after": 1}],
        "rotations": [ROTATION],
        "calls_per_graph": 0,
        "why_calls_per_graph": "2 of 66 results get new memory in every run",
    }


def test_rewrites_are_numbered_on_from_those_of_earlier_modules() -> None:
    kept = VERDICT | {"verdict": "kept", "rewrite": 0}
    built = dumps.build_report(NATIVE | {"all_reduces": [VERDICT, kept]}, "cpu", 1, rewrites_before=7)
    assert [entry["rewrite"] for entry in built["all_reduces"]] == [8, None]
    assert [entry["rewrite"] for entry in built["rotations"]] == [8]


def test_among_several_processes_the_name_says_which_one(tmp_path: pathlib.Path) -> None:
    several = dumps.Dumper(tmp_path, lambda module: "HloModule a", process=lambda: 3)
    assert several.dump(b"a", None, report()).name == "0000.jit_decode.cpu.process3.report.json"


def test_a_module_gets_three_files_in_a_folder_that_is_made(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "not" / "there"
    path = dumper(folder).dump(b"a", b"b", report())
    assert names(folder) == [
        "0000.jit_decode.cpu.after.hlo.txt",
        "0000.jit_decode.cpu.before.hlo.txt",
        "0000.jit_decode.cpu.report.json",
    ]
    assert json.loads(path.read_text()) == report()
    assert (folder / "0000.jit_decode.cpu.before.hlo.txt").read_text() == "HloModule a"
    assert (folder / "0000.jit_decode.cpu.after.hlo.txt").read_text() == "HloModule b"


def test_an_unchanged_module_has_the_same_text_before_and_after(tmp_path: pathlib.Path) -> None:
    dumper(tmp_path).dump(b"a", None, report())
    assert (tmp_path / "0000.jit_decode.cpu.after.hlo.txt").read_text() == "HloModule a"


def test_numbers_go_on_in_a_folder_that_was_used_before(tmp_path: pathlib.Path) -> None:
    dumper(tmp_path).dump(b"a", None, report())
    (tmp_path / "12345.other.txt").touch()
    (tmp_path / "99999notes.txt").touch()
    assert dumper(tmp_path).dump(b"a", None, report()).name.startswith("12346.")


def test_a_module_name_cannot_leave_the_folder_or_outgrow_a_file_name(tmp_path: pathlib.Path) -> None:
    dumper(tmp_path).dump(b"a", None, report("../../etc/passwd"))
    dumper(tmp_path).dump(b"a", None, report("x" * 1000))
    dumper(tmp_path).dump(b"a", None, report(""))
    assert len(names(tmp_path)) == 9
    assert "0000.______etc_passwd.cpu.report.json" in names(tmp_path)


def test_threads_that_dump_at_once_never_share_a_number(tmp_path: pathlib.Path) -> None:
    def many() -> None:
        for _ in range(10):
            dumper(tmp_path).dump(b"a", b"b", report())

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(tmp_path)) == 3 * 40
    assert {name[:4] for name in names(tmp_path)} == {f"{number:04d}" for number in range(40)}


def test_a_folder_taken_into_another_goes_on_with_its_numbers(tmp_path: pathlib.Path) -> None:
    for folder in ("one", "two"):
        dumper(tmp_path / folder).dump(b"a", b"b", report(f"jit_{folder}"))
    dumps.adopt(tmp_path / "one", tmp_path / "two")
    dumps.adopt(tmp_path / "none", tmp_path / "two")
    assert [name.split(".cpu.")[0] for name in names(tmp_path / "two")[::3]] == ["0000.jit_two", "0001.jit_one"]
    assert (tmp_path / "two" / "0001.jit_one.cpu.after.hlo.txt").read_text() == "HloModule b"


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        dumps.write_atomically(path, "text, not bytes")  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_through_a_link_keeps_the_link(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    dumps.write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_writing_to_a_device_does_not_replace_it() -> None:
    dumps.write_atomically(pathlib.Path("/dev/null"), b"gone")
    assert pathlib.Path("/dev/null").is_char_device()
