# SPDX-License-Identifier: Apache-2.0
"""The native module, python/native: the pass, the row program and the FFI handlers."""

from collections.abc import Buffer, Sequence
from typing import Any, Literal

class PassRun:
    """What the pass did to one module."""

    @property
    def module(self) -> bytes | None:
        """The rewritten HloModuleProto, or None: unchanged."""
    @property
    def report(self) -> dict[str, Any]:
        """PassReport of xla_pass/run_pass.h: `all_reduces` as in report.json, and the counts beside it."""

def run_pass(
    module: bytes,
    *,
    platform: Literal["cpu", "cuda"],
    max_bytes: int | Sequence[int],
    timeout_ms: int,
    single_process: bool,
    keep_all_reason: str = "",
    keep_all_detail: str = "",
    max_rewrites: int = -1,
    combine: tuple[int, int] = (0, 0),
    max_steps: int = 0,
    two_shot_from: int | Sequence[int] = ...,
    calls_per_graph: int = 0,
) -> PassRun:
    """Runs the pass on a serialized HloModuleProto, without the GIL.

    Args:
      module: serialized HloModuleProto.
      platform: what it is compiled for.
      max_bytes: largest message per rank that is rewritten, in bytes; or one such limit by group size, from 0 to 16.
      timeout_ms: how long a rank waits for its peers at run time, in milliseconds.
      single_process: whether all devices of the module live in this process.
      keep_all_reason: if not empty: rewrite nothing, and give every all-reduce the reason with this id.
      keep_all_detail: the text that fills the `{}` of that reason's format.
      max_rewrites: make only this many rewrites, the first ones; -1: all.
      combine: most bytes, and most collectives, of which XLA:GPU makes one after the pass; (0, 0): it makes none.
      max_steps: how much work the pass may take before it leaves the rest alone; 0: what the module's size allows.
      two_shot_from: messages of so many bytes or more go by two shots, or one such number by group size; default: none.
      calls_per_graph: on GPUs, how many calls go into one CUDA graph; 0: all; -1: by the rule of graph_segments.h.

    Raises:
      ValueError: the bytes are no HloModuleProto, or the pass met something it does not expect.
    """

def reasons() -> list[dict[str, Any]]:
    """Every reason that a verdict can give, in the order of xla_pass/verdict/reason_table.inc.

    Returns:
      For each its `id`, `kind` ("kept", "ends", "stops", "not_rotated", "internal"), `format`, `meaning` and `advice`.
    """

def module_header(module: bytes) -> tuple[str, list[int]]:
    """What stands at the top of a serialized HloModuleProto; its computations are not looked into.

    Returns:
      The module's name, and the ids of the devices that it is compiled for, unique over all processes; none where they
      are not decided yet.

    Raises:
      ValueError: the bytes are no HloModuleProto.
    """

def canonical_row_program(text: str) -> str:
    """The canonical text of a row program (row_program/text.h).

    Raises:
      ValueError: what is wrong with the text and where.
    """

def row_program_structure(text: str) -> dict[str, list[dict[str, Any]]]:
    """The inputs, statements and outputs of a row program, in order.

    Returns:
      `inputs`: `name` ("a0"), `role`, `dtype` and `kind` of each. `statements`: `name` ("x0"), `dtype`, `kind`, `op`,
      `operands` (names of statements) and `attribute` (the input of a load, all_reduce or all_gather, the value of a
      constant, the direction of a comparison; else empty) of each. `outputs`: `name`, `kind` and `is_shard` of each.

    Raises:
      ValueError: what is wrong with the text and where.
    """

def evaluate_row_program(text: str, rows: int, width: int, rank: int, inputs: list[list[Buffer]]) -> list[bytes]:
    """One rank's outputs, by the scalar evaluator that defines what a row program means.

    Args:
      text: the row program.
      rows: number of rows.
      width: elements of a row.
      rank: whose local inputs are read.
      inputs: per rank, per input of the program: row-major bytes; [rows, width] elements for a row, [rows] for a
        row scalar, [width] for a vector, one for a scalar.

    Returns:
      Row-major bytes of every output, in the program's order.

    Raises:
      ValueError: a bad program, or buffers that do not fit it.
    """

def cpu_handlers() -> dict[str, Any]:
    """FFI handlers as PyCapsules by stage ("instantiate", "execute"), for platform "cpu"."""

def cpu_state_type() -> dict[str, Any]:
    """Type of the CPU handlers' state: PyCapsules "type_id" and "type_info", for jax.ffi.register_ffi_type."""

def cuda_handlers(*, ends_graph: bool = False) -> dict[str, Any]:
    """FFI handlers as PyCapsules by stage ("instantiate", "prepare", "initialize", "execute"), for platform "CUDA".

    Args:
      ends_graph: XLA must not record them into a command buffer.
    """

def cuda_obstacle(calls: Sequence[tuple[str, int, int, int, str]]) -> str:
    """Why these calls could not run on this machine's GPUs, one sentence; empty: they can, or there is no GPU.

    Compiles their kernels, which the handlers then find compiled; releases the GIL.

    Args:
      calls: (row program, rows, width, ranks, algorithm) of each.
    """

def cuda_state_type() -> dict[str, Any]:
    """Type of the CUDA handlers' state: PyCapsules "type_id" and "type_info", for jax.ffi.register_ffi_type."""

def compile_cuda_kernel(
    program: str, rows: int, width: int, ranks: int, compute_capability: int, multiprocessors: int
) -> str:
    """What NVRTC says of the kernel for one call, registers and spills included; needs no GPU.

    Args:
      program: a row program.
      rows: of the message, as one rank has it.
      width: of a row, in elements.
      ranks: of the group.
      compute_capability: 90 for sm_90.
      multiprocessors: of the GPU.

    Raises:
      ValueError: a bad program or extent, no NVRTC, or the compiler's complaint.
    """
