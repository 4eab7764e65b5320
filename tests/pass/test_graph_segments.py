# SPDX-License-Identifier: Apache-2.0
"""Which calls end a CUDA graph, and the command buffers that XLA's GPU compiler then makes."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from hlo_fixture import run_pass
from jax_oneshot.benchmarks.layers_hlo import repeated_layers
from jax_oneshot.demo import gpu_compile
from jax_process import RunPython

GRAPH_END = 'custom_call_target="jax_oneshot.all_reduce.graph_end"'
INSIDE = 'custom_call_target="jax_oneshot.all_reduce"'
LAYERS = repeated_layers(700)
CALLS = LAYERS.count("all-reduce(")


def ends(text: str) -> list[bool]:
    """For each call, in the order of the text, whether it ends a graph."""
    return [GRAPH_END in line for line in text.splitlines() if INSIDE in line or GRAPH_END in line]


def test_every_fourth_call_of_a_step_ends_a_graph_and_the_report_says_which() -> None:
    run = run_pass(LAYERS, calls_per_graph=4)
    assert run.after is not None
    expected = [number % 4 == 0 for number in range(1, CALLS + 1)]
    assert expected.count(True) >= 4
    assert ends(run.after) == expected
    assert [verdict["ends_graph"] for verdict in run.verdicts] == expected


@pytest.mark.parametrize(
    ("platform", "calls_per_graph"), [("cuda", 0), ("cuda", CALLS // 4 + 1), ("cpu", 4)], ids=["off", "few", "cpu"]
)
def test_a_step_is_not_cut_when_that_is_off_where_it_is_small_or_on_cpu(platform: str, calls_per_graph: int) -> None:
    run = run_pass(LAYERS, platform=platform, calls_per_graph=calls_per_graph)  # type: ignore[arg-type]
    assert run.after is not None
    assert ends(run.after) == [False] * CALLS
    assert not any(verdict["ends_graph"] for verdict in run.verdicts)


def test_a_loop_s_body_is_not_cut() -> None:
    head, _, main = LAYERS.partition("ENTRY %main {")
    parameters = re.findall(r"%\S+ = (\S+) parameter\(\d+\)", main)
    body = re.sub(r"(%\S+ = (\S+)) parameter\((\d+)\)", r"\1 get-tuple-element(%state), index=\3", main)
    root = re.search(r"ROOT (%\S+)", body)
    assert root is not None
    kept = [found[1] for found in re.finditer(r"(%\S+) = \S+ get-tuple-element\(%state\)", body)]
    types = f"({', '.join(parameters)})"
    text = head.replace("HloModule repeated_layers", "HloModule looped")
    text += f"%body (state: {types}) -> {types} {{\n%state = {types} parameter(0)\n"
    lines = body.replace("ROOT ", "").rstrip().removesuffix("}")
    text += lines + f"ROOT %next = {types} tuple({', '.join([root[1], *kept[1:]])})\n}}\n"
    text += f"%go (s: {types}) -> pred[] {{\n%s = {types} parameter(0)\nROOT %yes = pred[] constant(true)\n}}\n"
    text += f"ENTRY %main {{\n%start = {types} parameter(0)\n"
    text += f"ROOT %end = {types} while(%start), condition=%go, body=%body\n}}\n"
    run = run_pass(text, calls_per_graph=4)
    assert run.after is not None
    assert ends(run.after) == [False] * CALLS


COMPILE = """
import sys
import jax, numpy as np
from jax_oneshot.demo import decode, gpu_compile, models
config = models.ModelConfig(layers=8, hidden=512, ffn=512, heads=8, head_dim=64)
mesh = jax.sharding.Mesh(np.array(gpu_compile.topology_devices()), ("tp",))
def decode_step(params, cache, tokens, position):
    return models.decode_step(config, params, cache, tokens, position)
step = jax.jit(decode_step, donate_argnums=[int(argument) for argument in sys.argv[1:]])
gpu_compile.print_compile_seconds(step, decode.abstract_arguments(config, mesh))
"""


CACHE = "1"  # the argument that is donated


@pytest.mark.parametrize(
    ("donated", "calls_per_graph", "graphs", "why"),
    [
        ([CACHE], "4", 5, "JAX_ONESHOT_GRAPH_CALLS"),
        ([], "0", 1, "JAX_ONESHOT_GRAPH_CALLS"),
        ([CACHE], "", 1, "2 of 18 results get new memory in every run"),
        ([], "", 5, "18 of 18 results get new memory in every run"),
        ([], "8", 1, "too few calls to cut: 17"),
    ],
)
def test_xla_records_as_many_command_buffers_as_the_pass_meant(
    run_python: RunPython, tmp_path: pathlib.Path, donated: list[str], calls_per_graph: str, graphs: int, why: str
) -> None:
    gpu_compile.require_plugin()
    env = gpu_compile.gpu_environment(str(tmp_path / "dump")) | {
        "JAX_ONESHOT_GRAPH_CALLS": calls_per_graph,
        "XLA_FLAGS": f"--xla_dump_to={tmp_path / 'xla'} --xla_dump_hlo_module_re=.*step",
    }
    done = run_python(["-c", COMPILE, *donated], env=env)
    assert done.status == 0, done.stderr
    (report,) = (json.loads(path.read_text()) for path in (tmp_path / "dump").glob("*.report.json"))
    assert len(report["all_reduces"]) == 17
    assert report["why_calls_per_graph"] == why
    assert sum(one["ends_graph"] for one in report["all_reduces"]) == graphs - 1
    (thunks,) = (tmp_path / "xla").glob("*thunk_sequence_after_thunk_passes.txt")
    lines = thunks.read_text().splitlines()
    # Indented lines are the contents of a command buffer.
    assert sum("kCommandBuffer" in line for line in lines if not line.startswith(" ")) == graphs
    assert sum("kCustomCall" in line for line in lines if not line.startswith(" ")) == graphs - 1
