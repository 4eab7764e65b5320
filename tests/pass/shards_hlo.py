# SPDX-License-Identifier: Apache-2.0
"""HLO of a norm sharded by GSPMD, as XLA spells it: a block, its parts, and the row program that it becomes."""

from __future__ import annotations

from hlo_fixture import GROUPS_8, all_reduce

PARAMETERS = """
%dot = bf16[8,64]{1,0} parameter(0)
%x = bf16[8,8]{1,0} parameter(1)
%g = bf16[8]{0} parameter(2)
"""

OFFSET = """
%id = u32[] partition-id()
%rank = s32[] convert(%id)
%eight = s32[] constant(8)
%offset = s32[] multiply(%rank, %eight)
%origin = s32[] constant(0)
"""

SLICE = "%part = bf16[8,8]{1,0} dynamic-slice(%ar, %origin, %offset), dynamic_slice_sizes={8,8}"

# Computes %n, this rank's columns of the norm, from %y, its columns of the row.
NORM = f"""
%f = f32[8,8]{{1,0}} convert(%y)
%sq = f32[8,8]{{1,0}} multiply(%f, %f)
%zero = f32[] constant(0)
%s = f32[8]{{0}} reduce(%sq, %zero), dimensions={{1}}, to_apply=%add_f32
%total = {all_reduce("%s", "f32[8]{0}", groups=GROUPS_8.replace("channel_id=1", "channel_id=2"))}
%inv = f32[] constant(0.015625)
%invs = f32[8]{{0}} broadcast(%inv), dimensions={{}}
%mean = f32[8]{{0}} multiply(%total, %invs)
%r = f32[8]{{0}} rsqrt(%mean)
%rb = f32[8,8]{{1,0}} broadcast(%r), dimensions={{0}}
%nf = f32[8,8]{{1,0}} multiply(%f, %rb)
%nb = bf16[8,8]{{1,0}} convert(%nf)
%gb = bf16[8,8]{{1,0}} broadcast(%g), dimensions={{1}}
%n = bf16[8,8]{{1,0}} multiply(%nb, %gb)
"""


def all_gather(operand: str, shape: str = "bf16[8,64]{1,0}", *, groups: str = GROUPS_8, dimension: int = 1) -> str:
    groups = groups.replace("channel_id=1", "channel_id=3")
    return f"{shape} all-gather({operand}), {groups}, dimensions={{{dimension}}}"


SUM = f"%ar = {all_reduce('%dot')}"

GATHER = f"%full = {all_gather('%n')}"

RESULTS = "ROOT %out = (bf16[8,64]{1,0}, bf16[8,8]{1,0}) tuple(%full, %y)"

BLOCK = f"""
{PARAMETERS}{OFFSET}
{SUM}
{SLICE}
%y = bf16[8,8]{{1,0}} add(%x, %part)
{NORM}
{GATHER}
{RESULTS}"""

PROGRAM = (
    "v1 (a0: sum bf16 row, a1: gather bf16 row, a2: gather bf16 vec) { x0: bf16 row = all_reduce a0; "
    "x1: bf16 row = all_gather a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant 0.015625; x7: f32 rowscalar = multiply x5, x6; "
    "x8: f32 rowscalar = rsqrt x7; x9: f32 row = multiply x3, x8; x10: bf16 row = convert x9; "
    "x11: bf16 vec = all_gather a2; x12: bf16 row = multiply x10, x11 } -> (x2: row shard, x12: row)"
)

LAST_OF_A_LOOP = f"{PARAMETERS}{OFFSET}{SUM}\n{SLICE}\nROOT %y = bf16[8,8]{{1,0}} add(%x, %part)"

OTHER_RANKS = {
    "halves": "channel_id=1, replica_groups={{0,1,2,3},{4,5,6,7}}, use_global_device_ids=true",
    "another order": "channel_id=1, replica_groups={{1,0,2,3,4,5,6,7}}, use_global_device_ids=true",
    "replicas": "replica_groups={{0,1,2,3,4,5,6,7}}",
}
