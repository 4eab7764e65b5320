# SPDX-License-Identifier: Apache-2.0
"""Shrinks a failing program as long as it fails in the same way.

Statements are removed, rather than the generator's choices changed, so the result reads like the original.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

from programs.builder import Statement, Value
from programs.program import Program

Fails = Callable[[Program], bool]
MAX_TRIES = 60


def shrunk(program: Program, fails: Fails) -> Program:
    """The smallest program found for which `fails` still holds."""
    smallest = without_unread(program)
    tries = 0
    progress = True
    while progress:
        progress = False
        for candidate in _smaller(smallest):
            tries += 1
            if tries > MAX_TRIES:
                return smallest
            if fails(candidate):
                smallest, progress = candidate, True
                break
    return smallest


def _smaller(program: Program) -> Iterator[Program]:
    """Smaller programs: with only one output, or with a statement, or one in its body, bypassed; the last one first."""
    if len(program.outputs) > 1:
        for output in program.outputs:
            yield without_unread(dataclasses.replace(program, outputs=[output], donated=()))
    for number in reversed(range(len(program.statements))):
        for replaced in _bypassed(program, number):
            yield without_unread(replaced)
    for number, statement in reversed(list(enumerate(program.statements))):
        for inner in range(len(statement.body)):
            for body in _bypass(statement.body, inner, list(_values(program))):
                changed = dataclasses.replace(statement, body=tuple(body[0]), tail=body[1](statement.tail))
                statements = [*program.statements[:number], changed, *program.statements[number + 1 :]]
                yield without_unread(dataclasses.replace(program, statements=statements))


def _values(program: Program) -> Iterator[Value]:
    for statement in program.statements:
        yield from statement.results
        for inner in statement.body:
            yield from inner.results


def _bypassed(program: Program, number: int) -> Iterator[Program]:
    """The program without one statement, whose result is replaced by an operand of the same shape and dtype."""
    for statements, renamed in _bypass(program.statements, number, list(_values(program))):
        by_name = {value.name: value for value in _values(program)}
        outputs = [by_name.get(renamed(value.name), value) for value in program.outputs]
        yield dataclasses.replace(program, statements=statements, outputs=list(dict.fromkeys(outputs)))


def _bypass(
    statements: Sequence[Statement], number: int, known: Sequence[Value]
) -> Iterator[tuple[list[Statement], Callable[[str], str]]]:
    statement = statements[number]
    if len(statement.results) != 1:
        return
    (result,) = statement.results
    for operand in known:
        same = (operand.shape, operand.dtype) == (result.shape, result.dtype)
        if not same or operand.name == result.name or operand.name not in statement.reads():
            continue

        def renamed(text: str, new: str = operand.name) -> str:
            return re.sub(rf"\b{result.name}\b", new, text)

        yield [*statements[:number], *(_renamed(s, renamed) for s in statements[number + 1 :])], renamed


def _renamed(statement: Statement, renamed: Callable[[str], str]) -> Statement:
    return dataclasses.replace(
        statement,
        head=renamed(statement.head),
        body=tuple(_renamed(inner, renamed) for inner in statement.body),
        tail=renamed(statement.tail),
    )


def _needed(statements: Sequence[Statement], text: str) -> list[Statement]:
    """The statements whose results are read by `text` or by another needed statement."""
    read = set(re.findall(r"\bv\d+\b", text))
    kept: list[Statement] = []
    for statement in reversed(statements):
        if any(value.name in read for value in statement.results):
            needed = dataclasses.replace(statement, body=tuple(_needed(statement.body, statement.tail)))
            kept.append(needed)
            read |= needed.reads()
    return kept[::-1]


def without_unread(program: Program) -> Program:
    """The program without statements that no output depends on."""
    text = " ".join(value.name for value in program.outputs)
    return dataclasses.replace(program, statements=_needed(program.statements, text))
