# SPDX-License-Identifier: Apache-2.0
"""A program under construction: values with their shapes, and the statements that compute them.

Operations (see `operations`) pick values and emit statements as Python text, so that a program can be printed and run
by itself:

    builder.emit(f"jnp.tanh({value})", like=value)      # appends `v7 = jnp.tanh(v3)`
"""

from __future__ import annotations

import dataclasses
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence

MAX_ELEMENTS = 40_000
MAX_BOUND = 64.0  # larger values are reduced before they are used again: the largest f16 is 65504
FLOATS = ("float32", "bfloat16", "float16")
_NAME = re.compile(r"\b[vxp]\d+\b")

Shape = tuple[int, ...]


class Unfit(Exception):
    """An operation finds no value to work on."""


@dataclasses.dataclass(frozen=True)
class Value:
    """Attributes: name in the text; shape (of one rank under shard_map, else of the whole array); dtype; a bound on
    its elements; the mesh axes over which it may differ between ranks (under shard_map only).
    """

    name: str
    shape: Shape
    dtype: str
    bound: float = 4.0
    varies: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class Statement:
    """Lines of text that compute `results`; `body` is indented between `head` and `tail`, for a function definition."""

    results: tuple[Value, ...]
    head: str
    body: tuple[Statement, ...] = ()
    tail: str = ""

    def lines(self) -> list[str]:
        """The text, not indented itself."""
        inner = ["    " + line for statement in self.body for line in statement.lines()]
        return [*self.head.splitlines(), *inner, *self.tail.splitlines()]

    def reads(self) -> set[str]:
        """Names in the text, including its own results."""
        return names_in("\n".join(self.lines()))


def names_in(text: str) -> set[str]:
    """Every name of a value in `text`."""
    return set(_NAME.findall(text))


@dataclasses.dataclass
class Names:
    """Numbers the values of one program."""

    count: int = 0

    def new(self, prefix: str = "v") -> str:
        self.count += 1
        return f"{prefix}{self.count}"


class Builder:
    """One function of a program: the values it may read, and the statements so far."""

    def __init__(
        self,
        source: random.Random,
        axes: Mapping[str, int],
        *,
        low: str,
        manual: bool,
        visible: Sequence[Value],
        names: Names | None = None,
        depth: int = 0,
    ) -> None:
        """Starts a function without statements.

        Args:
          source: of all random choices.
          axes: the mesh axes and their sizes.
          low: dtype of the activations.
          manual: whether the function runs under shard_map, where values are per rank and collectives are explicit.
          visible: the values that statements may read.
          names: shared by all functions of a program.
          depth: how many functions enclose this one.
        """
        self.random = source
        self.axes = axes
        self.low = low
        self.manual = manual
        self.pool = list(visible)
        self.statements: list[Statement] = []
        self.names = names or Names()
        self.depth = depth
        self._known = {value.name: value for value in visible}

    def nested(self, parameters: Sequence[Value]) -> Builder:
        """A function inside this one, which reads `parameters`."""
        inner = Builder(
            self.random,
            self.axes,
            low=self.low,
            manual=self.manual,
            visible=[*self.pool, *parameters],
            names=self.names,
            depth=self.depth + 1,
        )
        inner._known = {**self._known, **inner._known}
        return inner

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, fits: Callable[[Value], bool] = lambda value: value.is_float and value.size > 0) -> Value:
        """A value that fits, more often a recent one, reduced if it is large."""
        fitting = [value for value in self.pool if fits(value)]
        if not fitting:
            raise Unfit
        chosen = self.random.choice(fitting[-4:] if self.chance(0.75) else fitting)
        return self.tamed(chosen)

    def tamed(self, value: Value) -> Value:
        """The value, or a bounded one computed from it."""
        if not value.is_float or value.bound <= MAX_BOUND:
            return value
        text = self.random.choice(["jnp.tanh({0} * 0.01)", "jnp.clip({0}, -3, 3)", "{0} / (1 + jnp.abs({0}))"])
        return self.emit(text.format(value), like=value, bound=3.0)

    def emit(
        self,
        text: str,
        *,
        like: Value,
        shape: Shape | None = None,
        dtype: str | None = None,
        bound: float | None = None,
        varies: frozenset[str] | None = None,
    ) -> Value:
        """Appends `new = text`. Properties not given are those of `like`; `varies` follows from the values read."""
        (value,) = self.emit_several(text, [(like.shape if shape is None else shape, dtype or like.dtype)])
        value = dataclasses.replace(
            value,
            bound=like.bound if bound is None else bound,
            varies=value.varies if varies is None else varies,
        )
        return self._replace_last([value])[0]

    def emit_several(
        self,
        text: str,
        kinds: Sequence[tuple[Shape, str]],
        *,
        bound: float = 4.0,
        same_along: frozenset[str] = frozenset(),
    ) -> list[Value]:
        """Appends `new, new = text` for a text that returns a tuple, equal on ranks along the axes `same_along`."""
        if any(math.prod(shape) > MAX_ELEMENTS for shape, _ in kinds):
            raise Unfit
        varies = self.varies_of(text) - same_along
        values = [Value(self.names.new(), shape, dtype, bound, varies) for shape, dtype in kinds]
        self.append(Statement(tuple(values), f"{', '.join(value.name for value in values)} = {text}"))
        return values

    def append(self, statement: Statement) -> None:
        """Adds a statement; its results can be read from now on."""
        self.statements.append(statement)
        self.pool += statement.results
        self._known |= {value.name: value for value in statement.results}

    def varies_of(self, text: str) -> frozenset[str]:
        """The axes over which the values that `text` reads vary."""
        read = [self._known[name].varies for name in names_in(text) if name in self._known]
        return frozenset().union(*read)

    def _replace_last(self, values: Sequence[Value]) -> Sequence[Value]:
        self.statements[-1] = dataclasses.replace(self.statements[-1], results=tuple(values))
        self.pool[-len(values) :] = values
        self._known |= {value.name: value for value in values}
        return values


def cast(value: Value, dtype: str) -> str:
    """Text of the value, cast to the dtype."""
    return value.name if value.dtype == dtype else f"{value}.astype(jnp.{dtype})"


def fits_into(shape: Shape, other: Shape) -> bool:
    """Whether `other` broadcasts to exactly `shape`."""
    if len(other) > len(shape):
        return False
    return all(b in (1, a) for a, b in zip(reversed(shape), reversed(other), strict=False))
