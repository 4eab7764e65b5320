// SPDX-License-Identifier: Apache-2.0
// The name of a call's GPU kernel, as shown by profilers, in the style of XLA's fusion names. The pass writes it to the
// report and the code generator uses it for the kernel.
//
//   bf16 all-reduce, residual add, RMSNorm, [8, 4096], 8 ranks
//     -> oneshot_all_reduce_add_multiply_reduce_sum_rsqrt_fusion_bf16_8x4096_tp8
//   the same all-reduce alone -> oneshot_all_reduce_bf16_8x4096_tp8
//
// The exchanges come first, then each kind of operation once, in program order and at most six of them; conversions,
// broadcasts and constants are left out.
#ifndef ROW_PROGRAM_KERNEL_NAME_H_
#define ROW_PROGRAM_KERNEL_NAME_H_

#include <cstdint>
#include <string>

#include "row_program/row_program.h"

namespace jax_oneshot {

inline constexpr char kKernelNamePrefix[] = "oneshot_";

std::string KernelName(const RowProgram& program, int64_t rows, int64_t width, int group_size);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_KERNEL_NAME_H_
