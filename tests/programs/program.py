# SPDX-License-Identifier: Apache-2.0
"""A whole program: its mesh, inputs, statements and outputs, and its text as a self-contained file."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from programs.builder import Statement, Value

_MAPPED = "jax.shard_map(program, mesh=mesh, in_specs=tuple(specs), out_specs=P(tuple(MESH)), check_vma=False)"
_TEMPLATE = pathlib.Path(__file__).with_name("template.py.txt")


@dataclasses.dataclass(frozen=True)
class Input:
    """Attributes: the parameter; shape of the whole array; dtype; PartitionSpec; how its elements are generated."""

    parameter: str
    shape: tuple[int, ...]
    dtype: str
    spec: str
    elements: str = "normal"


@dataclasses.dataclass(frozen=True)
class Program:
    """Attributes: `manual`: whether it runs under shard_map; the others are parts of the text, see template.py.txt."""

    seed: int
    axes: Mapping[str, int]
    manual: bool
    inputs: Sequence[Input]
    donated: Sequence[int]
    statements: Sequence[Statement]
    outputs: Sequence[Value]

    def text(self) -> str:
        """The program as a Python file."""
        names = ", ".join(entry.parameter for entry in self.inputs)
        results = [f"{value}[None]" if self.manual else value.name for value in self.outputs]
        body = [f"def program({names}):"]
        body += ["    " + line for statement in self.statements for line in statement.lines()]
        body += [f"    return [{', '.join(results)}]"]
        inputs = [
            f"    ({entry.shape}, jnp.{entry.dtype}, {entry.spec}, {entry.elements!r}),  # {entry.parameter}"
            for entry in self.inputs
        ]
        parts = {
            "SEED": str(self.seed),
            "AXES": repr(dict(self.axes)),
            "INPUTS": "\n".join(inputs),
            "DONATED": repr(tuple(self.donated)),
            "FUNCTION": _MAPPED if self.manual else "program",
            "PROGRAM": "\n".join(body),
        }
        text = _TEMPLATE.read_text()
        for name, part in parts.items():
            text = text.replace(f"@{name}@", part)
        return text
