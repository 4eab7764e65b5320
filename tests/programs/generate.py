# SPDX-License-Identifier: Apache-2.0
"""The program of a seed: mesh, sizes, dtypes, inputs, operations, outputs. A seed always gives the same text."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Sequence

# Importing these modules fills the table of operations.
from programs import collectives, control, elementwise, moves, norms, placed, selecting
from programs.builder import Builder, Unfit, Value
from programs.operations import add_random
from programs.program import Input, Program

FAMILIES = (collectives, control, elementwise, moves, norms, placed, selecting)

_MESHES: list[dict[str, int]] = [
    {"tp": 8},
    {"dp": 2, "tp": 4},
    {"dp": 4, "tp": 2},
    {"tp": 4, "dp": 2},
    {"dp": 1, "tp": 8},
]
_WIDTHS = [1, 2, 8, 8, 16, 24, 32, 64, 64, 64, 128, 256, 512, 515, 1024, 4096]
_ROWS = [0, 1, 1, 1, 1, 1, 2, 2, 4, 4, 5, 7, 8, 8, 8, 16, 16, 64, 256]
_DTYPES = ["float32", "float32", "bfloat16", "bfloat16", "float16"]


def program(seed: int) -> Program:
    """The program of `seed`."""
    source = random.Random(seed)
    axes = source.choice(_MESHES)
    low = source.choice(_DTYPES)
    manual = source.random() < 0.65
    inputs, values = _inputs(source, axes, low, manual)
    builder = Builder(source, axes, low=low, manual=manual, visible=values)
    unpacked = _unpack(builder) if manual else values
    builder.pool = list(unpacked)
    with contextlib.suppress(Unfit):
        (collectives.psum if manual else placed.feed_forward)(builder)
    add_random(builder, source.randint(4, 18))
    donated, states = _donated(builder, unpacked)
    outputs = _outputs(builder, states)
    return Program(seed, axes, manual, inputs, donated, builder.statements, outputs)


def _inputs(source: random.Random, axes: dict[str, int], low: str, manual: bool) -> tuple[list[Input], list[Value]]:
    width = source.choice(_WIDTHS)
    rows = source.choice(_ROWS)
    lead = source.choice([(rows,), (rows,), (1, rows), (2, rows), (rows, 1)])
    while rows * lead[0] * width > 33_000:
        width //= 2
    inner = max(1, min(width, 64, 4096 // max(1, rows * lead[0])))
    names = [f'"{name}"' for name in axes]
    every, last = f"P(({', '.join(names)},))", '"tp"'
    elements = source.choice(["normal", "normal", "coarse"])
    wide = source.choice([low, low, "float32"])
    state = (*lead, width)
    shapes: list[tuple[tuple[int, ...], str, str, str]] = [
        (state, wide, source.choice(["P()", "P()", _rows_spec(state, axes)]), elements),
        ((width,), source.choice([low, "float32"]), "P()", "weight"),
        ((width, inner * 8), low, f"P(None, {last})", "normal"),
        ((inner * 8, width), low, f"P({last}, None)", "normal"),
        (source.choice([(3, width), (2, width), (4, *lead, width)]), low, "P()", "weight"),
        ((source.choice([1, 4, rows]),), "int32", "P()", "integers"),
        ((), "int32", "P()", "integers"),
    ]
    if width * inner * 8 > 300_000:
        del shapes[2:4]
    if width > 1 and width % axes["tp"] == 0:
        shapes.append(((width,), low, f"P({last})", "weight"))
    if manual:
        shapes.insert(0, ((8, *lead, width), low, every, elements))
    inputs = [Input(f"x{i}", *entry) for i, entry in enumerate(shapes)]
    return inputs, [Value(e.parameter, _local(e, axes, manual), e.dtype, 4.0, _varies(e, axes, manual)) for e in inputs]


def _rows_spec(shape: Sequence[int], axes: dict[str, int]) -> str:
    axis = next(iter(axes))
    return f'P("{axis}")' if shape[0] and shape[0] % axes[axis] == 0 else "P()"


def _varies(entry: Input, axes: dict[str, int], manual: bool) -> frozenset[str]:
    return frozenset(name for name in axes if manual and f'"{name}"' in entry.spec)


def _local(entry: Input, axes: dict[str, int], manual: bool) -> tuple[int, ...]:
    """Shape of one rank's shard."""
    if not manual:
        return entry.shape
    shape = list(entry.shape)
    for place, part in enumerate(_split(entry.spec)):
        for name, size in axes.items():
            if f'"{name}"' in part:
                shape[place] //= size
    return tuple(shape)


def _split(spec: str) -> list[str]:
    """The entry of each dimension in a PartitionSpec's text."""
    inner = spec[2:-1]
    return [inner] if inner.startswith("(") else inner.split(",")


def _unpack(builder: Builder) -> list[Value]:
    """The first input has a partial result per rank: drops its leading dimension."""
    first, *others = builder.pool
    partial = builder.emit(f"{first}[0]", like=first, shape=first.shape[1:])
    return [*others, partial]


def _donated(builder: Builder, values: Sequence[Value]) -> tuple[list[int], list[Value]]:
    """(donated inputs, new states): sometimes a state's buffer is donated and its new value is an output."""
    if not builder.chance(0.35):
        return [], []
    old = values[-1] if builder.manual else values[0]  # computed from input 0, or input 0 itself
    fitting = [v for v in builder.pool if v.is_float and v.shape == old.shape and v.name != old.name]
    if not fitting:
        return [], []
    new = builder.emit(f"0.9 * {old} + 0.1 * {builder.tamed(fitting[-1])}.astype(jnp.{old.dtype})", like=old)
    return [0], [new]


def _outputs(builder: Builder, states: Sequence[Value]) -> list[Value]:
    """Some values with the most work behind them, some other values, some integers, and the states."""
    made = [value for statement in builder.statements for value in statement.results]
    behind = _behind(builder)
    deepest = sorted(made, key=lambda value: behind[value.name])[-6:]
    chosen = builder.random.sample(deepest, min(len(deepest), builder.random.randint(1, 3)))
    others = builder.random.sample(made, min(len(made), builder.random.randint(0, 2)))
    integers = [value for value in made if not value.is_float][:2]
    outputs = {value.name: value for value in [*chosen, *others, *integers, *states]}
    return list(outputs.values())


def _behind(builder: Builder) -> dict[str, int]:
    """For each value, how many statements it depends on, collectives and products counted ten times."""
    needs: dict[str, frozenset[int]] = {}
    weight: list[int] = []
    for number, statement in enumerate(builder.statements):
        text = "\n".join(statement.lines())
        weight.append(10 if re.search(r"lax\.p|lax\.all_|@", text) else 1)
        read = [needs[name] for name in statement.reads() if name in needs]
        for value in statement.results:
            needs[value.name] = frozenset([number]).union(*read)
    return {name: sum(weight[number] for number in numbers) for name, numbers in needs.items()}
