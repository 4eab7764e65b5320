# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot doctor`: everything that it checks is broken once, and its advice checked."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import jax_oneshot
import pytest
from jax_oneshot.doctor import local_checks, verdicts
from jax_oneshot.doctor.findings import Finding
from jax_process import NEWEST_JAX, OLDEST_JAX, RunPython

ON = {"JAX_ONESHOT": "1"}


@dataclasses.dataclass(frozen=True)
class Report:
    """The output of `doctor --json`."""

    status: int
    contents: dict[str, Any]

    def of(self, topic: str) -> dict[str, Any]:
        """The last finding with this topic."""
        found: dict[str, Any] = [one for one in self.contents["findings"] if one["topic"] == topic][-1]
        return found

    def verdict(self, platform: str) -> dict[str, Any]:
        found: dict[str, Any] = self.contents["platforms"][platform]
        return found


def doctor(
    run_python: RunPython, *options: str, env: Mapping[str, str] = ON, jax: pathlib.Path | None = None
) -> Report:
    done = run_python(["-m", "jax_oneshot", "doctor", "--json", *options], env=env, jax=jax)
    assert "Traceback" not in done.stderr
    return Report(done.status, json.loads(done.stdout))


def stopped(report: Report, platform: str = "cpu") -> str:
    """Sentence and fixes of the verdict, which must be `stopped`."""
    verdict = report.verdict(platform)
    assert (report.status, report.contents["ok"], verdict["state"]) == (1, False, "stopped"), report.contents
    assert verdict["fixes"]
    return "\n".join([verdict["sentence"], *verdict["fixes"]])


def write_package(folder: pathlib.Path, name: str, version: str, files: Mapping[str, str]) -> None:
    """Writes a fake installed package: modules and metadata."""
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_where_all_is_well_it_says_so_for_each_supported_jax(
    run_python: RunPython, jax_version: pathlib.Path | None
) -> None:
    report = doctor(run_python, jax=jax_version)
    assert report.status == 0, report.contents
    assert report.verdict("cpu")["sentence"] == "fusion will work"
    for topic in ("Python", "jax installed", "jaxlib loaded", "native module", "hook, cpu", "plug-in", "entry point"):
        assert report.of(topic)["level"] == "ok", topic
    assert jax_version is None or jax_version.name == f"jax-{report.of('jax installed')['value']}"


def test_a_smoke_test_fuses_and_compares(run_python: RunPython) -> None:
    report = doctor(run_python, "--smoke")
    assert report.status == 0
    assert report.of("smoke test, cpu")["value"].startswith("fused on 2 devices; largest difference ")


def test_a_smoke_test_that_does_not_fuse_stops(run_python: RunPython) -> None:
    report = doctor(run_python, "--smoke", env=ON | {"JAX_ONESHOT_MAX_BYTES": "1"})
    assert "expected 0 one-shot calls off and 1 on, found 0 and 0" in stopped(report)


def test_a_variable_that_is_not_set_is_told_with_the_command(run_python: RunPython) -> None:
    report = doctor(run_python, env={})
    assert report.status == 0
    assert report.verdict("cpu")["sentence"] == "fusion will work once JAX_ONESHOT=1 is set"
    assert report.verdict("cpu")["fixes"] == ["export JAX_ONESHOT=1"]


def test_an_unknown_variable_stops(run_python: RunPython) -> None:
    advice = stopped(doctor(run_python, env=ON | {"JAX_ONESHOT_MAXBYTES": "5"}))
    assert "JAX_ONESHOT_MAXBYTES is not a variable of jax-oneshot; did you mean JAX_ONESHOT_MAX_BYTES?" in advice
    assert "unset JAX_ONESHOT_MAXBYTES, or correct it" in advice


def test_a_missing_native_module_stops(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    package = pathlib.Path(jax_oneshot.__file__).parent
    ignored = shutil.ignore_patterns("_native*.so", "__pycache__")
    shutil.copytree(package, tmp_path / "copy" / "jax_oneshot", ignore=ignored)
    report = doctor(run_python, env=ON | {"PYTHONPATH": str(tmp_path / "copy")})
    advice = stopped(report)
    assert "native module: does not load (found nowhere)" in advice
    assert "pip install --force-reinstall --no-deps . (in the source tree; or `make build`)" in advice
    assert "jax_oneshot: not in use, nothing will be fused" in report.of("plug-in")["value"]


def test_a_native_module_that_kills_the_process_stops(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    package = pathlib.Path(jax_oneshot.__file__).parent
    shutil.copytree(package, tmp_path / "copy" / "jax_oneshot", ignore=shutil.ignore_patterns("_native*.so"))
    (tmp_path / "copy" / "jax_oneshot" / "_native.py").write_text("import os\nos.abort()\n")
    advice = stopped(doctor(run_python, env=ON | {"PYTHONPATH": str(tmp_path / "copy")}))
    assert "(ended with signal SIGABRT)" in advice


def test_an_old_jax_stops(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    for name in ("jax", "jaxlib"):
        write_package(tmp_path / "old", name, "0.4.30", {f"{name}/__init__.py": "__version__ = '0.4.30'\n"})
    advice = stopped(doctor(run_python, env=ON | {"PYTHONPATH": str(tmp_path / "old")}))
    assert f"jaxlib installed: 0.4.30, which lets nobody transform modules; expected {OLDEST_JAX} or newer" in advice
    assert "this jaxlib has no register_xla_transform" in advice
    assert f"pip install 'jax=={NEWEST_JAX}'" in advice


def test_a_jax_that_does_not_import_stops(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    write_package(tmp_path / "bad", "jax", NEWEST_JAX, {"jax/__init__.py": "raise OSError('libstdc++ is too old')\n"})
    advice = stopped(doctor(run_python, env=ON | {"PYTHONPATH": str(tmp_path / "bad")}))
    assert "JAX does not load: OSError: libstdc++ is too old" in advice


def test_a_jax_that_was_not_tried_is_noted_only(run_python: RunPython, tmp_path: pathlib.Path) -> None:
    write_package(tmp_path / "new", "jax", "99.0", {})
    report = doctor(run_python, env=ON | {"PYTHONPATH": str(tmp_path / "new")})
    assert (report.status, report.of("jax installed")["level"]) == (0, "warn")
    assert f"99.0; not tried with it, only with {OLDEST_JAX} and {NEWEST_JAX}" in report.of("jax installed")["value"]


def test_a_plug_in_that_does_not_take_the_pass_stops_its_platform_only(
    run_python: RunPython, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        """
import jaxlib._xla as xla
def refuse(*arguments):
    raise RuntimeError("UNIMPLEMENTED: the plug-in has no transform extension")
xla.register_xla_transform_c_api = refuse
"""
    )
    report = doctor(run_python, env=ON | {"PYTHONPATH": str(tmp_path / "site")})
    advice = stopped(report, "cuda")
    assert "does not take the pass: RuntimeError: UNIMPLEMENTED: the plug-in has no transform extension" in advice
    assert f"pip install 'jax[cuda13]=={NEWEST_JAX}'" in advice
    assert report.verdict("cpu")["state"] == "works"


def test_an_entry_point_that_is_not_seen_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_checks, "ENTRY_POINT_GROUP", "some_other_group")
    (finding,) = (one for one in local_checks.look({}) if one.topic == "entry point")
    assert finding.level == "stop"
    assert "not seen by this Python: JAX will not load the plug-in" in finding.value
    assert "-m pip install ." in finding.fix


@pytest.mark.parametrize("variable", ["JAX_ONESHOT_DUMP_TO", "JAX_COMPILATION_CACHE_DIR"])
def test_a_folder_that_cannot_be_written_to_is_noted_with_what_to_set(tmp_path: pathlib.Path, variable: str) -> None:
    (tmp_path / "file").touch()
    findings = local_checks.look(ON | {variable: str(tmp_path / "file" / "below")})
    (finding,) = (one for one in findings if one.topic in ("dump folder", "compilation cache") and one.fix)
    assert finding.level == "warn"
    assert finding.value == f"{tmp_path}/file/below cannot be used: Not a directory: {tmp_path}/file/below"
    assert finding.fix == f"set {variable} to a folder that you can write to"


def test_a_folder_under_a_file_system_that_takes_none_is_noted() -> None:
    """Permission checks would pass there for root."""
    (finding,) = (
        one for one in local_checks.look(ON | {"JAX_ONESHOT_DUMP_TO": "/proc/a/b"}) if one.topic == "dump folder"
    )
    assert finding.level == "warn"
    assert finding.value.startswith("/proc/a/b cannot be used: ")


def test_folders_that_can_be_made_or_are_elsewhere_are_fine(tmp_path: pathlib.Path) -> None:
    environ = {"JAX_ONESHOT_DUMP_TO": str(tmp_path / "a" / "b"), "JAX_COMPILATION_CACHE_DIR": "gs://bucket/cache"}
    found = {one.topic: one for one in local_checks.look(environ)}
    assert found["dump folder"].value == f"{tmp_path}/a/b, which will be made"
    assert not list(tmp_path.iterdir())  # created to try, and removed again
    assert "not on this machine's disks" in found["compilation cache"].value


def test_an_old_python_stops() -> None:
    finding = local_checks._python((3, 11, 2))
    assert finding.level == "stop"
    assert "expected 3.12 or newer" in finding.value


def gpu(*more: Finding) -> list[Finding]:
    """Findings of a machine with two GPUs."""
    plugin = Finding("CUDA plug-in installed", f"jax-cuda13-plugin {NEWEST_JAX}", platforms=("cuda",))
    return [plugin, Finding("GPUs", "2 x NVIDIA H100 (sm_90)", platforms=("cuda",)), *more]


def test_a_machine_with_gpus_works_when_nothing_is_in_the_way() -> None:
    cpu, cuda = verdicts.judge(gpu())
    assert (cpu.state, cuda.state) == ("works", "works")


def test_what_stops_gpus_leaves_the_cpu_alone() -> None:
    missing = Finding("nccl", "not usable: libnccl.so.2", "stop", "pip install nvidia-nccl-cu13", ("cuda",))
    cpu, cuda = verdicts.judge(gpu(missing))
    assert (cpu.state, cuda.state) == ("works", "stopped")
    assert cuda.sentence == "fusion will not work: nccl: not usable: libnccl.so.2"
    assert cuda.fixes == ["pip install nvidia-nccl-cu13"]


def test_a_machine_with_neither_gpu_nor_plug_in_is_well() -> None:
    findings = [
        Finding("CUDA plug-in installed", "no", platforms=("cuda",)),
        Finding("GPUs", "none", platforms=("cuda",)),
    ]
    judged = verdicts.judge(findings)
    assert judged[1].state == "absent"
    assert "JAX's CUDA plug-in is not installed here (no GPU)" in judged[1].sentence
    assert verdicts.is_well(judged)


def test_the_text_has_the_findings_the_verdicts_and_the_fixes(run_python: RunPython) -> None:
    done = run_python(["-m", "jax_oneshot", "doctor"], env=ON | {"JAX_ONESHOT_MODULE": "x"})
    assert done.status == 1
    assert "STOP  variable" in done.stdout
    assert "\ncpu: fusion will not work: variable: JAX_ONESHOT_MODULE is not a variable of jax-oneshot" in done.stdout
    assert "\n  -> unset JAX_ONESHOT_MODULE, or correct it\n" in done.stdout


def test_the_doctor_itself_imports_the_standard_library_only(run_python: RunPython) -> None:
    code = """
import sys
before = {name.partition(".")[0] for name in sys.modules}
from jax_oneshot import cli
import jax_oneshot.commands.doctor
after = {name.partition(".")[0] for name in sys.modules} - before - set(sys.stdlib_module_names)
import json; print(json.dumps(sorted(after)))
"""
    assert run_python(["-c", code]).json() == ["jax_oneshot"]
