# SPDX-License-Identifier: Apache-2.0
"""Makes a dump folder with two small modules, using the real pass: fused, plain and kept all-reduces.

`PYTHONPATH=tests/support python tests/commands/report_folder.py` updates tests/data/report.json, which is the output of
`jax-oneshot report --json` on the folder.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile

from hlo_fixture import REDUCERS, all_reduce, to_proto
from jax_oneshot import _native, dumps, jax_internals
from jax_oneshot.config import Platform
from jax_oneshot.report import document, dump_folder

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "data" / "report.json"

# XLA's tables of source locations, which precede the computations.
_SOURCES = """
FileNames
1 "/src/model.py"

FunctionNames
1 "block"

FileLocations
1 {file_name_id=1 function_name_id=1 line=20 end_line=20 column=4 end_column=9}

StackFrames
1 {file_location_id=1 parent_frame_id=1}
"""
_METADATA = 'metadata={op_name="jit(decode)/dot_general" stack_frame_id=1}'
_DECODE = f"""
HloModule jit_decode
{_SOURCES}
{REDUCERS}
ENTRY %main {{
  %d = bf16[8,64]{{1,0}} parameter(0)
  %x = bf16[8,64]{{1,0}} parameter(1)
  %g = bf16[64]{{0}} parameter(2)
  %zero = f32[] constant(0)
  %n = f32[] constant(0.015625)
  %eps = f32[] constant(1e-05)
  %all-reduce.1 = {all_reduce("%d")}, {_METADATA}
  %y = bf16[8,64]{{1,0}} add(%x, %all-reduce.1)
  %wide = f32[8,64]{{1,0}} convert(%y)
  %square = f32[8,64]{{1,0}} multiply(%wide, %wide)
  %sum = f32[8]{{0}} reduce(%square, %zero), dimensions={{1}}, to_apply=%add_f32
  %ns = f32[8]{{0}} broadcast(%n), dimensions={{}}
  %mean = f32[8]{{0}} multiply(%sum, %ns)
  %epsilons = f32[8]{{0}} broadcast(%eps), dimensions={{}}
  %variance = f32[8]{{0}} add(%mean, %epsilons)
  %r = f32[8]{{0}} rsqrt(%variance)
  %rs = f32[8,64]{{1,0}} broadcast(%r), dimensions={{0}}
  %scaled = f32[8,64]{{1,0}} multiply(%wide, %rs)
  %narrow = bf16[8,64]{{1,0}} convert(%scaled)
  %gs = bf16[8,64]{{1,0}} broadcast(%g), dimensions={{1}}
  %normed = bf16[8,64]{{1,0}} multiply(%narrow, %gs)
  %wd = bf16[64,64]{{1,0}} parameter(3)
  %dot = bf16[8,64]{{1,0}} dot(%normed, %wd), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
  %all-reduce.2 = {all_reduce("%dot")}, {_METADATA}
  %out = bf16[8,64]{{1,0}} dot(%all-reduce.2, %wd), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
  ROOT %t = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%y, %out)
}}
"""
_LOGITS = f"""
HloModule jit_logits_<b>
{REDUCERS}
ENTRY %main {{
  %p = bf16[8,8192]{{1,0}} parameter(0)
  %large = {all_reduce("%p", "bf16[8,8192]{1,0}")}
  %q = f32[8,64]{{1,0}} parameter(1)
  %product = {all_reduce("%q", "f32[8,64]{1,0}", reducer="mul_f32")}
  ROOT %t = (bf16[8,8192]{{1,0}}, f32[8,64]{{1,0}}) tuple(%large, %product)
}}
"""
# In names, to check that the page escapes markup.
_MARKUP = "<b>"
_PLATFORMS: tuple[Platform, Platform] = ("cuda", "cpu")


def write(folder: pathlib.Path) -> None:
    """Dumps both modules into the folder, with a fixed pass time."""
    dumper = dumps.Dumper(folder, jax_internals.hlo_text)
    made = 0
    for text, platform in zip((_DECODE, _LOGITS), _PLATFORMS, strict=True):
        module = to_proto(text.replace(_MARKUP, "b"))
        run = _native.run_pass(module, platform=platform, max_bytes=1 << 16, timeout_ms=1000, single_process=True)
        report = dumps.build_report(run.report, platform, 1.5, made)
        if _MARKUP in text:
            report["module"] = f"jit_logits_{_MARKUP}"
        dumper.dump(module, run.module, report)
        made += run.report["rewrites"]


def read(folder: pathlib.Path) -> document.ReadModule:
    """The first module of the folder."""
    return document.read_module(dump_folder.read(folder).modules[0])


def document_text(folder: pathlib.Path) -> str:
    """The output of `--json`."""
    found = dump_folder.read(folder)
    return json.dumps(document.document(found, [document.read_module(one) for one in found.modules]), indent=1) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        target = pathlib.Path(temporary) / "dumps"
        write(target)
        GOLDEN.write_text(document_text(target))
        print(GOLDEN, file=sys.stderr)
