# SPDX-License-Identifier: Apache-2.0
"""Random regions of whole rows and shards: the pass must preserve every rank's results.

Each region starts at an all-reduce and mixes, in any order, slices of columns (sometimes not the rank's own),
elementwise math, row sums with and without their all-reduce, and all-gathers, on parameters that differ between ranks.
numpy evaluates the module before and after the pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import hlo_ranks
import numpy as np
from hlo_fixture import PassRun, entry, run_pass
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

PROPERTY = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
PARAMETERS = {"%dot": "whole", "%w": "whole", "%x": "shard", "%z": "shard", "%g": "vec"}


@dataclasses.dataclass
class Region:
    """A module under construction; `values` are (name, kind) with kinds whole, shard, rowsum and vec."""

    ranks: int
    rows: int
    columns: int  # of one shard
    lines: list[str] = dataclasses.field(default_factory=list)
    values: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    channel: int = 1

    def shape(self, kind: str) -> str:
        return {
            "whole": f"f32[{self.rows},{self.ranks * self.columns}]{{1,0}}",
            "shard": f"f32[{self.rows},{self.columns}]{{1,0}}",
            "rowsum": f"f32[{self.rows}]{{0}}",
            "vec": f"f32[{self.columns}]{{0}}",
        }[kind]

    def add(self, kind: str, text: str, name: str = "") -> str:
        name = name or f"%v{len(self.lines)}"
        self.lines.append(f"{name} = {self.shape(kind)} {text}")
        self.values.append((name, kind))
        return name

    def collective(self) -> str:
        self.channel += 1
        return f"channel_id={self.channel}, replica_groups=[1,{self.ranks}]<=[{self.ranks}], use_global_device_ids=true"

    def of_kind(self, *kinds: str) -> list[str]:
        return [name for name, kind in self.values if kind in kinds]


def add_operation(draw: st.DrawFn, region: Region) -> None:
    def pick(*kinds: str) -> str:
        return draw(st.sampled_from(region.of_kind(*kinds)))

    what = draw(st.sampled_from(["math", "math", "slice", "slice", "sum", "spread", "gather", "vec"]))
    if what == "math":
        kind = draw(st.sampled_from([kind for kind in ("whole", "shard", "rowsum") if region.of_kind(kind)]))
        op = draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "tanh", "abs"]))
        operands = pick(kind) if op in ("tanh", "abs") else f"{pick(kind)}, {pick(kind)}"
        region.add(kind, f"{op}({operands})")
    elif what == "slice":
        offset = draw(st.sampled_from(["%own", "%own", "%own", "%next"]))
        sizes = f"dynamic_slice_sizes={{{region.rows},{region.columns}}}"
        region.add("shard", f"dynamic-slice({pick('whole')}, %origin, {offset}), {sizes}")
    elif what == "sum":
        name = region.add("rowsum", f"reduce({pick('whole', 'shard')}, %zero), dimensions={{1}}, to_apply=%add_f32")
        if draw(st.booleans()):
            region.add("rowsum", f"all-reduce({name}), {region.collective()}, to_apply=%add_f32")
    elif what == "spread" and region.of_kind("rowsum"):
        region.add(draw(st.sampled_from(["whole", "shard"])), f"broadcast({pick('rowsum')}), dimensions={{0}}")
    elif what == "gather":
        region.add("whole", f"all-gather({pick('shard')}), {region.collective()}, dimensions={{1}}")
    elif what == "vec":
        region.add("shard", f"broadcast({pick('vec')}), dimensions={{1}}")


@st.composite
def regions(draw: st.DrawFn) -> Region:
    region = Region(draw(st.sampled_from([2, 4, 8])), draw(st.integers(1, 3)), draw(st.integers(2, 4)))
    for number, (name, kind) in enumerate(PARAMETERS.items()):
        region.add(kind, f"parameter({number})", name)
    region.lines += [
        "%id = u32[] partition-id()",
        "%rank = s32[] convert(%id)",
        f"%size = s32[] constant({region.columns})",
        "%own = s32[] multiply(%rank, %size)",
        "%next = s32[] add(%own, %size)",
        "%origin = s32[] constant(0)",
        "%zero = f32[] constant(0)",
    ]
    region.add("whole", f"all-reduce(%dot), {region.collective()}, to_apply=%add_f32", "%ar")
    for _ in range(draw(st.integers(1, 14))):
        add_operation(draw, region)
    made = [value for value in region.values if value[0] not in PARAMETERS]
    results = [made[-1], *draw(st.lists(st.sampled_from(made), max_size=3))]
    shapes = ", ".join(region.shape(kind) for _, kind in results)
    region.lines.append(f"ROOT %out = ({shapes}) tuple({', '.join(name for name, _ in results)})")
    return region


def rewrite(region: Region) -> PassRun:
    return run_pass(entry("\n".join(region.lines)))


@PROPERTY
@given(regions(), st.integers(0, 2**32 - 1))
def test_every_rank_computes_what_it_did(region: Region, seed: int) -> None:
    run = rewrite(region)
    random = np.random.default_rng(seed)
    dims = {"whole": (region.rows, region.ranks * region.columns), "shard": (region.rows, region.columns)}
    parameters = [
        [random.normal(0, 0.5, dims.get(kind, (region.columns,))).astype(np.float32) for _ in range(region.ranks)]
        for kind in PARAMETERS.values()
    ]
    before = hlo_ranks.run(run.before, parameters)
    after = before if run.after is None else hlo_ranks.run(run.after, parameters)
    for rank in range(region.ranks):
        for want, got in zip(before[rank], after[rank], strict=True):
            scale = max(1.0, float(np.abs(want).max()))
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * scale, err_msg=run.after or "")


def test_the_random_regions_reach_what_the_pass_does_with_shards() -> None:
    """Each must occur: an absorbed all-reduce, an absorbed all-gather, a shard returned, a shard read, none of them."""
    wanted: list[Callable[[PassRun], bool]] = [
        lambda run: any(verdict["absorbed"]["all_reduces"] for verdict in run.verdicts),
        lambda run: any(verdict["absorbed"]["all_gathers"] for verdict in run.verdicts),
        lambda run: any("row shard" in program for program in run.programs),
        lambda run: any("gather f32 row" in program for program in run.programs),
        lambda run: any("gather f32 vec" in program for program in run.programs),
        lambda run: run.after is None,
    ]
    for reached in wanted:
        found = find(regions(), _reaches(reached), settings=PROPERTY)
        assert reached(rewrite(found))


def _reaches(reached: Callable[[PassRun], bool]) -> Callable[[Region], bool]:
    return lambda region: reached(rewrite(region))
