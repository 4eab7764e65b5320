# SPDX-License-Identifier: Apache-2.0
"""Matches every one-shot call in the module after the pass with the instructions that it replaced.

    before  %ar = all-reduce(%d); %y = add(%x, %ar); %n = multiply(%y, ..)
    after   %jax_oneshot.0 = (.., ..) custom-call(%d, %x, %g); %n = get-tuple-element(..); %y = get-tuple-element(..)
    ->      Call: reads %d %x %g, returns %n %y, absorbed %ar %y ... %n, all-reduce %ar

A call's result keeps the name of the instruction that it replaces. So the region consists of the instructions in
`before` between those names and the call's operands.
"""

from __future__ import annotations

import dataclasses
import re

from jax_oneshot.report.hlo_text import HloText, Instruction, short_shape

_TARGET = 'custom_call_target="jax_oneshot.all_reduce'  # and .graph_end
_CLONE = "jax_oneshot_operand."  # an operand that the pass copied out of a fusion
_LOGICAL_IDS = ("replica-id", "partition-id")
_MOST = 1000  # instructions of one region: a bound in case the two texts do not belong together
_INDEX = re.compile(r"\bindex=(\d+)")


@dataclasses.dataclass(frozen=True)
class Value:
    """An instruction's name and shape, `bf16[8,4096]`."""

    name: str
    shape: str


@dataclasses.dataclass(frozen=True)
class Call:
    """One one-shot call.

    Attributes:
      computation: the computation that it is in.
      line: of the custom-call in the text after.
      reads: operands, in the order of the row program's inputs.
      returns: results, in the order of the row program's outputs.
      result_lines: of the get-tuple-elements in the text after.
      absorbed: the instructions that it replaces in the text before, by line.
      all_reduces: names of the all-reduces among `absorbed`.
    """

    computation: str
    line: int
    reads: list[Value]
    returns: list[Value]
    result_lines: list[int]
    absorbed: list[Instruction]
    all_reduces: list[str]


def find_calls(before: HloText, after: HloText) -> list[Call]:
    """All calls of a module, in the order of the text after."""
    return [_call(before, after, call) for call in after.lines_with(_TARGET) if call.opcode == "custom-call"]


def _call(before: HloText, after: HloText, call: Instruction) -> Call:
    operands = [after.instruction(call.computation, name) for name in call.operands]
    reads = [one for one in operands if one is not None and one.opcode not in _LOGICAL_IDS]
    results = [call]
    if call.shape.startswith("("):
        results = sorted(after.elements(call), key=_tuple_index)
    stops = set(call.operands) | {name for one in reads for name in _sources_of_clone(after, one)}
    absorbed = _between(before, call.computation, {one.name for one in results}, stops)
    return Call(
        computation=call.computation,
        line=call.line,
        reads=[Value(one.name, short_shape(one.shape)) for one in reads],
        returns=[Value(one.name, short_shape(one.shape)) for one in results],
        result_lines=[one.line for one in results if one is not call],
        absorbed=absorbed,
        all_reduces=[one.name for one in absorbed if one.opcode == "all-reduce"],
    )


def _tuple_index(element: Instruction) -> int:
    found = _INDEX.search(element.attributes)
    return int(found[1]) if found else 0


def _sources_of_clone(after: HloText, operand: Instruction) -> list[str]:
    """Operands of a cloned operand, through other clones: the names that the original reads in the text before."""
    if not operand.name.startswith(_CLONE):
        return []
    found = list(operand.operands)
    for name in operand.operands:
        inner = after.instruction(operand.computation, name)
        if inner is not None:
            found += _sources_of_clone(after, inner)
    return found


def _between(before: HloText, computation: str, ends: set[str], stops: set[str]) -> list[Instruction]:
    found: dict[str, Instruction] = {}
    work = list(ends)
    while work and len(found) < _MOST:
        name = work.pop()
        # An operand of the call bounds the region, unless it is also one of the call's results.
        if name in found or (name in stops and name not in ends):
            continue
        one = before.instruction(computation, name)
        if one is None:
            continue
        found[name] = one
        work += _operands_within(before, one)
    return sorted(found.values(), key=lambda one: one.line)


def _operands_within(before: HloText, one: Instruction) -> list[str]:
    """Operands to continue with; a get-tuple-element leads to its variadic all-reduce, which ends the walk."""
    if one.opcode == "get-tuple-element":
        source = before.instruction(one.computation, one.operands[0])
        if source is not None and source.opcode == "all-reduce" and len(source.operands) > 1:
            return [source.name]
    if one.opcode == "all-reduce" and len(one.operands) > 1:
        return []
    return list(one.operands)
