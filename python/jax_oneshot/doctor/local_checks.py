# SPDX-License-Identifier: Apache-2.0
"""Findings that need no other process: Python, installed packages, environment variables and folders."""

from __future__ import annotations

import contextlib
import importlib.metadata
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping

from jax_oneshot import config, jax_internals
from jax_oneshot.doctor.findings import Finding

_OLDEST_PYTHON = (3, 12)
OLDEST, NEWEST = jax_internals.SUPPORTED_VERSIONS[0], jax_internals.SUPPORTED_VERSIONS[-1]
_CUDA_PLUGINS = ("jax-cuda13-plugin", "jax-cuda12-plugin")
ENTRY_POINT_GROUP = "jax_plugins"


def look(environ: Mapping[str, str]) -> list[Finding]:
    """All findings of this file, in the order in which they are shown."""
    return [
        _python(sys.version_info[:3]),
        *_packages(),
        _entry_point(),
        *_variables(environ),
        *_folders(environ),
    ]


def version_of(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cuda_plugin() -> tuple[str, str] | None:
    """(package, version) of JAX's CUDA plug-in, or None."""
    found = ((name, version_of(name)) for name in _CUDA_PLUGINS)
    return next(((name, version) for name, version in found if version), None)


def _python(version: tuple[int, ...]) -> Finding:
    text = f"{'.'.join(map(str, version))} at {sys.executable}"
    if version[:2] < _OLDEST_PYTHON:
        wanted = ".".join(map(str, _OLDEST_PYTHON))
        return Finding(
            "Python", f"{text}; expected {wanted} or newer", "stop", f"make an environment of Python {wanted}"
        )
    return Finding("Python", text, "ok")


def _packages() -> Iterator[Finding]:
    wanted = f"pip install 'jax=={NEWEST}'"
    for name in ("jax", "jaxlib"):
        version = version_of(name)
        if version is None:
            yield Finding(f"{name} installed", f"no; tried with {_tried()}", "stop", wanted)
        elif _numbers(version) < _numbers(OLDEST):
            yield Finding(
                f"{name} installed",
                f"{version}, which lets nobody transform modules; expected {OLDEST} or newer",
                "stop",
                wanted,
            )
        elif version not in jax_internals.SUPPORTED_VERSIONS:
            yield Finding(f"{name} installed", f"{version}; not tried with it, only with {_tried()}", "warn")
        else:
            yield Finding(f"{name} installed", version, "ok")
    plugin = cuda_plugin()
    yield Finding("CUDA plug-in installed", " ".join(plugin) if plugin else "no", platforms=("cuda",))


def _tried() -> str:
    return " and ".join(jax_internals.SUPPORTED_VERSIONS)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def _entry_point() -> Finding:
    found = [one for one in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP) if one.name == "jax_oneshot"]
    if found:
        return Finding("entry point", f"{found[0].value} in the group {ENTRY_POINT_GROUP}", "ok")
    return Finding(
        "entry point",
        f"not seen by this Python: JAX will not load the plug-in; nothing named jax_oneshot in {ENTRY_POINT_GROUP}",
        "stop",
        f"{sys.executable} -m pip install . (in the source tree of jax-oneshot)",
    )


def _variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(environ):
        if name in config.VARIABLES:
            yield Finding("variable", f"{name}={environ[name]}")
    try:
        config.Config.from_environment(environ)
    except config.ConfigError as error:
        for line in str(error).splitlines():
            name = line.partition("=")[0].partition(" ")[0]
            yield Finding("variable", line, "stop", f"unset {name}, or correct it")
    value = environ.get("JAX_ONESHOT", "").strip()
    if value in ("", "0"):
        shown = "not set" if not value else "0"
        yield Finding("variable", f"JAX_ONESHOT is {shown}: nothing is fused", "warn", "export JAX_ONESHOT=1")


def _folders(environ: Mapping[str, str]) -> Iterator[Finding]:
    dump_to = environ.get("JAX_ONESHOT_DUMP_TO", "").strip()
    if dump_to:
        yield _folder("dump folder", dump_to, "JAX_ONESHOT_DUMP_TO")
    cache = environ.get("JAX_COMPILATION_CACHE_DIR", "").strip()
    if cache:
        yield _folder("compilation cache", cache, "JAX_COMPILATION_CACHE_DIR")
    else:
        yield Finding(
            "compilation cache", "JAX_COMPILATION_CACHE_DIR is not set; modules are compiled in every process"
        )


def _folder(topic: str, value: str, variable: str) -> Finding:
    if "://" in value:
        return Finding(topic, f"{value}, not on this machine's disks; not looked at")
    path = pathlib.Path(value).expanduser()
    exists = path.is_dir()
    try:
        _try_to_write(path)
    except OSError as error:
        why = f"{error.strerror or error}: {error.filename or path}"
        fix = f"set {variable} to a folder that you can write to"
        return Finding(topic, f"{path} cannot be used: {why}", "warn", fix)
    return Finding(topic, f"{path}{'' if exists else ', which will be made'}", "ok")


def _try_to_write(folder: pathlib.Path) -> None:
    """Creates the folder and a file in it, then removes what it created. Raises OSError.

    Permission bits are not enough: a file system may be read-only, virtual or full, and root ignores them.
    """
    parents = [folder, *folder.parents]
    made = [parent for parent in parents if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".jax_oneshot_doctor") as file:
            file.write(b"x")
    finally:
        for parent in made:
            if parent.exists():
                with contextlib.suppress(OSError):  # no longer empty: another process uses it
                    parent.rmdir()
