# SPDX-License-Identifier: Apache-2.0
"""Random linear chains after an all-reduce: a sum moved after them must be as accurate as one rounding allows.

Each chain gathers, slices, reshapes, scales, sums and multiplies rows, by weights and indices that are equal on all
ranks. numpy evaluates the module in its own types and in float64, before and after the pass.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import hlo_ranks
import ml_dtypes
import numpy as np
import pytest
from hlo_fixture import PassRun, entry, run_pass
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

PROPERTY = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
RANKS = 4
TYPES = {"bf16": ml_dtypes.bfloat16, "f32": np.float32, "s32": np.int32}
Dims = tuple[int, ...]


def shape(dtype: str, dims: Dims) -> str:
    layout = ",".join(str(i) for i in reversed(range(len(dims))))
    return f"{dtype}[{','.join(map(str, dims))}]{{{layout}}}"


@dataclasses.dataclass
class Chain:
    """A module under construction; `parameters` are (dtype, dims, bound of an index)."""

    dtype: str
    dims: Dims
    lines: list[str] = dataclasses.field(default_factory=list)
    parameters: list[tuple[str, Dims, int]] = dataclasses.field(default_factory=list)
    last: str = ""
    channel: int = 0

    def collective(self) -> str:
        self.channel += 1
        return f"channel_id={self.channel}, replica_groups=[1,{RANKS}]<=[{RANKS}], use_global_device_ids=true"

    def parameter(self, dtype: str, dims: Dims, bound: int = 0) -> str:
        self.parameters.append((dtype, dims, bound))
        name = f"%p{len(self.parameters) - 1}"
        self.lines.append(f"{name} = {shape(dtype, dims)} parameter({len(self.parameters) - 1})")
        return name

    def same_everywhere(self, dtype: str, dims: Dims, bound: int = 0) -> str:
        """A value that is equal on all ranks, because it was gathered."""
        part = self.parameter(dtype, (1, *dims), bound)
        gathered = f"%all{len(self.lines)}"
        whole = (RANKS, *dims)
        self.lines.append(
            f"{gathered} = {shape(dtype, whole)} all-gather({part}), {self.collective()}, dimensions={{0}}"
        )
        bounds = ", ".join(["[0:1]", *(f"[0:{d}]" for d in dims)])
        self.lines.append(f"{gathered}s = {shape(dtype, (1, *dims))} slice({gathered}), slice={{{bounds}}}")
        self.lines.append(f"{gathered}r = {shape(dtype, dims)} reshape({gathered}s)")
        return f"{gathered}r"

    def step(self, text: str, dims: Dims, dtype: str = "") -> None:
        name = f"%step{len(self.lines)}"
        self.dtype, self.dims = dtype or self.dtype, dims
        self.lines.append(f"{name} = {shape(self.dtype, dims)} {text}")
        self.last = name


def add_step(draw: st.DrawFn, chain: Chain) -> None:
    what = draw(
        st.sampled_from(["gather", "scale", "scale", "divide", "negate", "cut", "sum", "product", "convert", "turn"])
    )
    rows, *rest = chain.dims
    if what == "gather" and len(chain.dims) == 2:
        count = draw(st.integers(1, rows))
        indices = chain.same_everywhere("s32", (count, 1), rows)
        chain.step(
            f"gather({chain.last}, {indices}), offset_dims={{1}}, collapsed_slice_dims={{0}}, start_index_map={{0}}, "
            f"index_vector_dim=1, slice_sizes={{1,{rest[0]}}}",
            (count, rest[0]),
        )
    elif what in ("scale", "divide"):
        axis = draw(st.integers(0, len(chain.dims) - 1))
        factor = chain.same_everywhere(chain.dtype, (chain.dims[axis],))
        spread = f"%b{len(chain.lines)}"
        chain.lines.append(f"{spread} = {shape(chain.dtype, chain.dims)} broadcast({factor}), dimensions={{{axis}}}")
        first_second = (chain.last, spread) if what == "divide" or draw(st.booleans()) else (spread, chain.last)
        chain.step(f"{'divide' if what == 'divide' else 'multiply'}({', '.join(first_second)})", chain.dims)
    elif what == "negate":
        chain.step(f"negate({chain.last})", chain.dims)
    elif what == "cut":
        ends = [draw(st.integers(1, d)) for d in chain.dims]
        chain.step(f"slice({chain.last}), slice={{{', '.join(f'[0:{end}]' for end in ends)}}}", tuple(ends))
    elif what == "sum" and len(chain.dims) > 1:
        axis = draw(st.integers(0, len(chain.dims) - 1))
        left = tuple(d for i, d in enumerate(chain.dims) if i != axis)
        zero = f"%z{len(chain.lines)}"
        chain.lines.append(f"{zero} = {chain.dtype}[] constant(0)")
        chain.step(f"reduce({chain.last}, {zero}), dimensions={{{axis}}}, to_apply=%add_{chain.dtype}", left)
    elif what == "product" and len(chain.dims) == 2:
        width = draw(st.integers(1, rest[0]))
        weights = chain.same_everywhere(chain.dtype, (rest[0], width))
        chain.step(
            f"dot({chain.last}, {weights}), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}", (rows, width)
        )
    elif what == "convert":
        dtype = draw(st.sampled_from(["bf16", "f32"]))
        chain.step(f"convert({chain.last})", chain.dims, dtype)
    elif what == "turn":
        order = draw(st.permutations(range(len(chain.dims))))
        dims = tuple(chain.dims[i] for i in order)
        chain.step(f"transpose({chain.last}), dimensions={{{','.join(map(str, order))}}}", dims)
    elif rows % 2 == 0:
        dims = (rows // 2, 2, *rest) if len(chain.dims) < 3 else (rows * rest[0], *rest[1:])
        chain.step(f"reshape({chain.last})", dims)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    chain = Chain(
        draw(st.sampled_from(["bf16", "bf16", "f32"])), (draw(st.sampled_from([4, 6, 8])), draw(st.integers(2, 9)))
    )
    chain.last = chain.parameter(chain.dtype, chain.dims)
    chain.step(f"all-reduce({chain.last}), {chain.collective()}, to_apply=%add_{chain.dtype}", chain.dims)
    chain.lines[-1] = chain.lines[-1].replace(chain.last, "%ar", 1)
    chain.last = "%ar"
    for _ in range(draw(st.integers(1, 6))):
        add_step(draw, chain)
    chain.lines.append(f"%end = {shape(chain.dtype, chain.dims)} negate({chain.last})")
    chain.lines.append(f"ROOT %out = ({shape(chain.dtype, chain.dims)}) tuple(%end)")
    return chain


def rewrite(chain: Chain) -> PassRun:
    return run_pass(entry("\n".join(chain.lines)))


def sinks(chain: Chain) -> bool:
    """Whether the all-reduce moved after a step."""
    run = rewrite(chain)
    return run.after is not None and "%jax_oneshot_sum" in run.after


def inputs(chain: Chain, seed: int) -> list[hlo_ranks.Ranks]:
    random = np.random.default_rng(seed)

    def one(dtype: str, dims: Dims, bound: int) -> hlo_ranks.Array:
        if bound:
            return random.integers(0, bound, dims).astype(np.int32)
        return (random.uniform(0.5, 2, dims) * random.choice([-1, 1], dims)).astype(TYPES[dtype])

    return [[one(*parameter) for _ in range(RANKS)] for parameter in chain.parameters]


def magnitude(chain: Chain, parameters: list[hlo_ranks.Ranks]) -> float:
    """The largest result if nothing cancels, to which errors of sums are proportional."""
    text = entry("\n".join(line for line in chain.lines)).replace("negate(", "abs(")
    positive = [[np.abs(value) for value in of_rank] for of_rank in parameters]
    return float(np.abs(hlo_ranks.run(text, positive, exact=True)[0][0]).max())


def rounds_once(run: PassRun) -> bool:
    """Whether nothing but converts and negations is left after the sum."""
    operations = set(re.findall(r"= (\w+)", run.programs[0]))
    outside = [line for line in run.body if line.startswith("%step") and "custom-call(" not in line]
    return operations <= {"all_reduce", "convert", "negate"} and not outside


def half_a_unit(dtype: str, values: Any) -> Any:
    """Half the distance of neighbours of `dtype` just above each value."""
    epsilon = float(ml_dtypes.finfo(TYPES[dtype]).eps)  # type: ignore[no-untyped-call]
    return np.exp2(np.frexp(np.abs(values))[1]) * epsilon / 2


@PROPERTY
@given(chains().filter(sinks), st.integers(0, 2**32 - 1))
def test_a_sum_behind_a_chain_is_at_least_as_good(chain: Chain, seed: int) -> None:
    run = rewrite(chain)
    parameters = inputs(chain, seed)
    exact = [[value if value.dtype == np.int32 else value.astype(np.float64) for value in one] for one in parameters]
    (want,) = hlo_ranks.run(run.before, exact, exact=True)[0]
    (off,) = hlo_ranks.run(run.before, parameters)[0]
    after = hlo_ranks.run(run.after or "", parameters)
    narrowest = "bf16" if "bf16" in run.programs[0] else "f32"
    largest = magnitude(chain, exact)
    allowed = half_a_unit(narrowest, want) + 64 * half_a_unit("f32", largest)  # and the roundings in f32 before it
    if not rounds_once(run):
        # Steps that stay after the sum round as before, but from another value.
        allowed = allowed + np.abs(off.astype(np.float64) - want).max() + 8 * half_a_unit(narrowest, largest)
    for (got,) in after:
        np.testing.assert_array_less(np.abs(got.astype(np.float64) - want), allowed + 1e-30, err_msg=run.after or "")
        assert got.tobytes() == after[0][0].tobytes()


def test_some_chains_are_held_to_one_rounding() -> None:
    assert rounds_once(
        rewrite(find(chains(), lambda chain: sinks(chain) and rounds_once(rewrite(chain)), settings=PROPERTY))
    )


@pytest.mark.parametrize(
    "word", ["gather", "reduce", "dot", "slice", "multiply", "divide", "transpose", "reshape", "negate"]
)
def test_sums_sink_behind_every_kind_of_step(word: str) -> None:
    def reaches(chain: Chain) -> bool:
        return "%jax_oneshot_sum" in _made(chain, word)

    assert sinks(find(chains(), reaches, settings=PROPERTY))


def _made(chain: Chain, word: str) -> str:
    """The instructions with this opcode that the pass placed before the sum."""
    return "\n".join(
        line
        for line in (rewrite(chain).after or "").splitlines()
        if f" {word}(" in line and "_sum" in line.split("=")[0]
    )
