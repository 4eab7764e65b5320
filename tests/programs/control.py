# SPDX-License-Identifier: Apache-2.0
"""Loops, branches, gradients: operations that contain a function with statements of its own."""

from __future__ import annotations

import dataclasses

from programs.builder import Builder, Statement, Unfit, Value, cast
from programs.operations import add_random, operation


def _carried(b: Builder) -> Value:
    return b.pick(lambda v: v.is_float and len(v.shape) >= 1 and 0 < v.size <= 8192)


def _result_like(inner: Builder, like: Value) -> Value:
    """The result of a function that must return the shape and dtype of `like`: the last such value, kept small."""
    fitting = [v for v in inner.pool if v.shape == like.shape and v.is_float]
    last = inner.tamed(fitting[-1])
    return inner.emit(f"{cast(last, like.dtype)} * 0.5 + {like} * 0.25", like=like, bound=last.bound + like.bound)


@dataclasses.dataclass(frozen=True)
class _Function:
    name: str
    statements: tuple[Statement, ...]
    result: Value

    def statement(self, parameters: str, results: tuple[Value, ...], call: str, returned: str = "") -> Statement:
        """`def name(parameters): ...` and the statement that uses it."""
        head = f"def {self.name}({parameters}):"
        return Statement(results, head, self.statements, f"    return {returned or self.result}\n{call}")


def _function(
    b: Builder, carried: Value, parameter: Value, *extra: Value, collectives: bool = True, smooth: bool = False
) -> _Function:
    inner = b.nested([*extra, parameter])
    add_random(inner, b.random.randint(1, 5), collectives=collectives, smooth_only=smooth)
    result = _result_like(inner, dataclasses.replace(parameter, dtype=carried.dtype))
    return _Function(b.names.new("f"), tuple(inner.statements), result)


def _as_parameter(b: Builder, value: Value, *, varies: frozenset[str] | None = None) -> Value:
    kept = value.varies if varies is None else varies
    return Value(b.names.new(), value.shape, value.dtype, max(4.0, value.bound), kept)


def _all_axes(b: Builder) -> frozenset[str]:
    """All axes, since a loop's carry may come to vary over any of them."""
    return frozenset(b.axes) if b.manual else frozenset()


def _like(b: Builder, value: Value) -> Value:
    return Value(b.names.new(), value.shape, value.dtype, 64.0, _all_axes(b))


@operation(2, collective=True, max_depth=1)
def loop_of_known_length(b: Builder) -> None:
    value = _carried(b)
    parameter = _as_parameter(b, value, varies=_all_axes(b))
    function = _function(b, value, parameter)
    result = _like(b, value)
    call = f"{result} = lax.fori_loop(0, {b.random.choice([1, 2, 3])}, lambda i, c: {function.name}(c), {value})"
    b.append(function.statement(parameter.name, (result,), call))


@operation(2, collective=True, max_depth=1)
def loop_while(b: Builder) -> None:
    """A loop whose trip count is an input."""
    value = _carried(b)
    parameter = _as_parameter(b, value, varies=_all_axes(b))
    rounds = b.pick(lambda v: v.dtype == "int32" and v.shape == () and not v.varies)
    function = _function(b, value, parameter)
    result = _like(b, value)
    call = (
        f"_, {result} = lax.while_loop(lambda s: s[0] < {rounds} % 4, "
        f"lambda s: (s[0] + 1, {function.name}(s[1])), (0, {value}))"
    )
    b.append(function.statement(parameter.name, (result,), call))


@operation(4, collective=True, max_depth=1)
def scanned_layers(b: Builder) -> None:
    """A scan over layers with stacked weights, in which every layer also returns an output."""
    value = _carried(b)
    stack = b.pick(lambda v: v.is_float and len(v.shape) >= 2 and 1 <= v.shape[0] <= 8 and v.size > 0)
    parameter = _as_parameter(b, value, varies=_all_axes(b))
    layer = Value(b.names.new(), stack.shape[1:], stack.dtype, stack.bound, stack.varies)
    function = _function(b, value, parameter, layer)
    result = _like(b, value)
    each = Value(b.names.new(), (stack.shape[0], *value.shape), value.dtype, 64.0, _all_axes(b))
    if each.size > 40_000:
        raise Unfit
    unroll = b.random.choice(["", "", ", unroll=2"])
    call = f"{result}, {each} = lax.scan({function.name}, {value}, {stack}{unroll})"
    returned = f"{function.result}, {function.result}"
    b.append(function.statement(f"{parameter}, {layer}", (result, each), call, returned))


@operation(2, collective=True, max_depth=1)
def branch_all_ranks_take(b: Builder) -> None:
    value = _carried(b)
    chooser = b.pick(lambda v: v.dtype == "int32" and v.shape == () and not v.varies)
    parameter = _as_parameter(b, value)
    function = _function(b, value, parameter)
    result = _like(b, value)
    other = b.random.choice(["lambda c: c", "lambda c: c * 0.5"])
    call = f"{result} = lax.cond({chooser} % 2 == {b.random.randint(0, 1)}, {function.name}, {other}, {value})"
    b.append(function.statement(parameter.name, (result,), call))


@operation(1, automatic=False, max_depth=1)
def branch_some_ranks_take(b: Builder) -> None:
    """Without collectives inside, in which ranks would wait for those that take the other branch."""
    value = _carried(b)
    parameter = _as_parameter(b, value, varies=_all_axes(b))
    function = _function(b, value, parameter, collectives=False)
    result = _like(b, value)
    axis = b.random.choice(list(b.axes))
    call = f'{result} = lax.cond(lax.axis_index("{axis}") == 0, {function.name}, lambda c: c * 0.5, {value})'
    b.append(function.statement(parameter.name, (result,), call))


@operation(3, collective=True, max_depth=1)
def gradient(b: Builder) -> None:
    value = _carried(b)
    parameter = _as_parameter(b, value)
    function = _function(b, value, parameter, smooth=True)
    result = Value(b.names.new(), value.shape, value.dtype, 200.0, _all_axes(b))
    inner = function.name
    if b.chance(0.3):
        inner = f"jax.checkpoint({inner})"
    loss = f"lambda c: jnp.mean({inner}(c).astype(jnp.float32) ** 2) * 10"
    b.append(function.statement(parameter.name, (result,), f"{result} = jax.grad({loss})({value})"))


@operation(1, collective=True, max_depth=1)
def mapped_over_rows(b: Builder) -> None:
    """vmap: the function sees one row, its collectives all of them."""
    value = b.pick(lambda v: v.is_float and len(v.shape) >= 2 and 0 < v.size <= 8192)
    row = Value(b.names.new(), value.shape[1:], value.dtype, max(4.0, value.bound), value.varies)
    function = _function(b, row, row)
    result = dataclasses.replace(_like(b, value), dtype=value.dtype)
    b.append(function.statement(row.name, (result,), f"{result} = jax.vmap({function.name})({value})"))


@operation(1, collective=True, max_depth=1)
def jitted_inside(b: Builder) -> None:
    value = _carried(b)
    parameter = _as_parameter(b, value)
    function = _function(b, value, parameter)
    result = _like(b, value)
    wrapper = b.random.choice(["jax.jit", "jax.checkpoint"])
    b.append(function.statement(parameter.name, (result,), f"{result} = {wrapper}({function.name})({value})"))
