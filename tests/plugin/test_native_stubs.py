# SPDX-License-Identifier: Apache-2.0
"""The stubs of the native modules declare what nanobind's stubgen finds in them, with more exact types."""

from __future__ import annotations

import ast
import importlib
import pathlib

import jax_oneshot
import pytest
from jax_oneshot import native
from nanobind.stubgen import StubGen

PACKAGE = pathlib.Path(jax_oneshot.__file__).parent


def signatures(stub: str) -> dict[str, str]:
    """Name of each function, method and property -> its parameters without types, and which of them have defaults."""
    found = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef):
                found[prefix + node.name] = parameters(node.args)

    visit(ast.parse(stub).body, "")
    return found


def parameters(arguments: ast.arguments) -> str:
    first_default = len(arguments.args) - len(arguments.defaults)
    positional = [arg.arg + ("=" if i >= first_default else "") for i, arg in enumerate(arguments.args)]
    keywords = [
        arg.arg + ("=" if default is not None else "")
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return ", ".join([*positional, *(["*", *sorted(keywords)] if keywords else [])])


@pytest.mark.parametrize("name", ["_native", "_bench"])
def test_the_stub_of_a_native_module_declares_what_the_module_has(name: str) -> None:
    if name == "_bench" and not native.has_bench():
        pytest.skip("the kernel benchmark's native module is not built; `make bench ARGS=kernel` builds it")
    generator = StubGen(importlib.import_module(f"jax_oneshot.{name}"))
    generator.put(generator.module)
    assert signatures((PACKAGE / f"{name}.pyi").read_text()) == signatures(generator.get())


def test_a_missing_default_is_seen() -> None:
    with_default = signatures("class A:\n    def f(self, a: int, *, b: str = ...) -> None: ...\n")
    assert with_default == {"A.f": "self, a, *, b="}
    assert with_default != signatures("class A:\n    def f(self, a: int, *, b: str) -> None: ...\n")
