# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot opt` and the command line around it."""

from __future__ import annotations

import json
import pathlib

import pytest
from hlo_fixture import all_reduce, entry, to_proto
from jax_oneshot import cli
from jax_process import Finished, RunPython

RESIDUAL = entry(
    f"""
    %p = bf16[8,64]{{1,0}} parameter(0)
    %x = bf16[8,64]{{1,0}} parameter(1)
    %ar = {all_reduce("%p")}
    ROOT %y = bf16[8,64]{{1,0}} add(%ar, %x)
    """
)
NOTHING_TO_FUSE = entry("ROOT %p = bf16[8,64]{1,0} parameter(0)")
CALL = 'custom_call_target="jax_oneshot.all_reduce"'


@pytest.fixture
def text_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "module.hlo.txt"
    path.write_text(RESIDUAL)
    return path


@pytest.fixture
def proto_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "module.pb"
    path.write_bytes(to_proto(RESIDUAL))
    return path


def opt(*arguments: object) -> int:
    """Runs the command in this process and returns its exit status."""
    try:
        return cli.main(["opt", *map(str, arguments)])
    except SystemExit as stopped:  # raised by argparse on errors
        return int(stopped.code or 0)


def test_text_in_rewritten_text_out(text_file: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert opt(text_file, "--platform", "cuda") == 0
    out, err = capfd.readouterr()
    assert out.startswith("HloModule test")
    assert CALL in out
    assert "jax-oneshot: test: 1 of 1 all-reduces fused, 1 -> 1 collectives" in err


def test_a_proto_is_told_from_text_by_its_content(
    proto_file: pathlib.Path, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    misnamed = tmp_path / "module.txt"
    misnamed.write_bytes(proto_file.read_bytes())
    assert opt(misnamed) == 0
    assert CALL in capfd.readouterr().out


def test_emit_proto_writes_a_module_that_opt_reads_again(proto_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out.pb"
    assert opt(proto_file, "-o", out, "--emit", "proto") == 0
    assert b"jax_oneshot.all_reduce" in out.read_bytes()
    assert opt(out, "-o", tmp_path / "again.pb", "--emit", "proto") == 0
    assert (tmp_path / "again.pb").read_bytes() == out.read_bytes()


def test_a_module_with_nothing_to_fuse_comes_out_as_it_went_in(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "in.pb", tmp_path / "out.pb"
    path.write_bytes(to_proto(NOTHING_TO_FUSE))
    assert opt(path, "-o", out, "--emit", "proto") == 0
    assert out.read_bytes() == path.read_bytes()
    assert "jax-oneshot: unchanged; " in capfd.readouterr().err


def test_the_report_follows_the_schema(text_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    report_file = tmp_path / "report.json"
    assert opt(text_file, "-o", tmp_path / "out", "--report", report_file) == 0
    report = json.loads(report_file.read_text())
    assert (report["schema"], report["module"], report["platform"]) == (2, "test", "cpu")
    assert report["all_reduces"][0]["verdict"] == "fused"
    assert report["all_reduces"][0]["shape"] == "bf16[8,64]"


def test_stdin_and_stdout_are_dashes(run_python: RunPython) -> None:
    done = run_python(["-m", "jax_oneshot", "opt", "-", "-o", "-", "--platform", "cuda"], stdin=RESIDUAL.encode())
    assert done.status == 0, done.stderr
    assert CALL in done.stdout


def test_the_message_limit_is_taken_from_the_environment(
    text_file: pathlib.Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_ONESHOT_MAX_BYTES", "16")
    assert opt(text_file) == 0
    assert CALL not in capfd.readouterr().out


def refusal(path: pathlib.Path, capfd: pytest.CaptureFixture[str], status: int) -> str:
    assert opt(path) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


def test_a_missing_file_is_a_usage_error(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.pb"
    assert refusal(path, capfd, 2) == f"jax-oneshot opt: cannot read {path}: No such file or directory\n"


def test_a_wrong_variable_is_a_usage_error(
    text_file: pathlib.Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_ONESHOT_MAX_BYTE", "16")
    assert "did you mean JAX_ONESHOT_MAX_BYTES?" in refusal(text_file, capfd, 2)


def test_an_unknown_platform_is_refused_with_the_known_ones(
    text_file: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert opt(text_file, "--platform", "tpu") == 2
    assert "invalid choice: 'tpu' (choose from 'cpu', 'cuda')" in capfd.readouterr().err


def test_an_empty_file_is_refused(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    assert "is empty; expected HLO text or a serialized HloModuleProto" in refusal(tmp_path / "empty", capfd, 1)


def test_text_that_is_no_hlo_is_refused_with_its_beginning(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear compiler,\n\nplease fuse.\n")
    assert "expected a line that begins with `HloModule`, found first 'Dear compiler," in refusal(path, capfd, 1)


def test_truncated_text_is_refused_with_what_xla_says(
    text_file: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text_file.write_text(RESIDUAL[: len(RESIDUAL) // 2])
    message = refusal(text_file, capfd, 1)
    assert "is no complete HLO module; XLA says: INVALID_ARGUMENT: Syntax error" in message


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_a_truncated_proto_is_refused(proto_file: pathlib.Path, capfd: pytest.CaptureFixture[str], keep: float) -> None:
    content = proto_file.read_bytes()
    proto_file.write_bytes(content[: int(len(content) * keep)])
    assert "is no complete serialized HloModuleProto; XLA says: " in refusal(proto_file, capfd, 1)


def test_bytes_that_are_nothing_are_refused(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "noise"
    path.write_bytes(bytes(range(256)) * 8)
    assert "is no complete serialized HloModuleProto; XLA says: " in refusal(path, capfd, 1)


def test_a_module_that_kills_xlas_reader_is_an_error_not_a_crash(
    text_file: pathlib.Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jax_oneshot.hlo_worker._WORKER", ["-c", "import os; os.abort()"])
    assert "XLA ended with SIGABRT while it read the module" in refusal(text_file, capfd, 1)


def test_an_output_that_cannot_be_written_is_a_usage_error(
    text_file: pathlib.Path, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert opt(text_file, "-o", tmp_path / "no" / "folder") == 2
    assert "cannot write" in capfd.readouterr().err


def jax_oneshot(run_python: RunPython, *arguments: str) -> Finished:
    return run_python(["-X", "importtime", "-m", "jax_oneshot", *arguments])


def test_help_names_every_command_and_imports_no_jax(run_python: RunPython) -> None:
    done = jax_oneshot(run_python, "--help")
    assert done.status == 0
    assert all(f"\n  {command} " in done.stdout for command in cli._COMMANDS)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"jax", "jaxlib", "numpy", "jinja2", "jax_oneshot.commands"} & imported


def test_an_unknown_command_is_refused_with_the_known_ones(run_python: RunPython) -> None:
    done = jax_oneshot(run_python, "optimize")
    assert done.status == 2
    known = ", ".join(map(repr, cli._COMMANDS))
    assert f"invalid choice: 'optimize' (choose from {known})" in done.stderr
