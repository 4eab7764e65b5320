// SPDX-License-Identifier: Apache-2.0
// Row programs shared by several kernel tests.
#ifndef FFI_KERNELS_CUDA_KERNEL_TEST_PROGRAMS_H_
#define FFI_KERNELS_CUDA_KERNEL_TEST_PROGRAMS_H_

#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "row_program/text.h"

namespace jax_oneshot::cuda {

inline constexpr char kPlain[] = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)";

inline constexpr char kResidualRmsNorm[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) { x0: bf16 row = all_reduce a0; "
    "x1: bf16 row = load a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant 0.00024414062; x7: f32 rowscalar = multiply x5, x6; "
    "x8: f32 scalar = constant 1e-05; x9: f32 rowscalar = add x7, x8; x10: f32 rowscalar = rsqrt x9; "
    "x11: f32 row = multiply x3, x10; x12: bf16 row = convert x11; x13: bf16 vec = load a2; "
    "x14: bf16 row = multiply x12, x13 } -> (x14: row, x2: row)";

// The residual is a sharded output; the weights are sharded.
inline constexpr char kShardedRmsNorm[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row, a2: gather bf16 vec) { x0: bf16 row = all_reduce a0; "
    "x1: bf16 row = load a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant 0.00024414062; x7: f32 rowscalar = multiply x5, x6; "
    "x8: f32 scalar = constant 1e-05; x9: f32 rowscalar = add x7, x8; x10: f32 rowscalar = rsqrt x9; "
    "x11: f32 row = multiply x3, x10; x12: bf16 row = convert x11; x13: bf16 vec = all_gather a2; "
    "x14: bf16 row = multiply x12, x13 } -> (x14: row, x2: row shard)";

// Two dependent reductions, and f32 inputs.
inline constexpr char kLayerNorm[] =
    "v1 (a0: sum f32 row, a1: local f32 vec, a2: local f32 row, a3: local f32 vec, a4: local f32 vec) { "
    "x0: f32 row = all_reduce a0; x1: f32 vec = load a1; x2: f32 row = add x0, x1; x3: f32 row = load a2; "
    "x4: f32 row = add x2, x3; x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant 768; "
    "x7: f32 rowscalar = divide x5, x6; x8: f32 row = subtract x4, x7; x9: f32 row = multiply x8, x8; "
    "x10: f32 rowscalar = reduce_sum x9; x11: f32 rowscalar = divide x10, x6; x12: f32 scalar = constant 1e-05; "
    "x13: f32 rowscalar = add x11, x12; x14: f32 rowscalar = rsqrt x13; x15: f32 row = multiply x8, x14; "
    "x16: f32 vec = load a3; x17: f32 row = multiply x15, x16; x18: f32 vec = load a4; x19: f32 row = add x17, x18 } "
    "-> (x19: row, x4: row)";

// `text` must be valid.
inline RowProgram ProgramOf(const char* text) { return ParseRowProgram(text).value(); }

// Published figures of three generations of GPUs.
inline DeviceFacts FactsOfA100() { return {80, 108, 2048, 65536}; }
inline DeviceFacts FactsOfH100() { return {90, 132, 2048, 65536}; }
inline DeviceFacts FactsOfB200() { return {100, 148, 2048, 65536}; }

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_TEST_PROGRAMS_H_
