// SPDX-License-Identifier: Apache-2.0
// Generates the CUDA C++ source of a row program's kernel, for NVRTC.
//
//   constants of the plan (constexpr int kRows = 8; ...)
//   device/*.cuh, the hand-written template (elements, places, protocol, reductions)
//   RunProgram, the generated part (generate_body.h)
//   device/kernel.cuh, the kernel that calls it
#ifndef FFI_KERNELS_CUDA_KERNEL_GENERATE_KERNEL_H_
#define FFI_KERNELS_CUDA_KERNEL_GENERATE_KERNEL_H_

#include <string>
#include <vector>

#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

// The whole translation unit; the kernel is named by kernel_name.h. `program` is valid and `plan` was made for it.
std::string GenerateKernel(const RowProgram& program, const LaunchPlan& plan);

// Options for NVRTC. Values must not depend on compiler choices: no contraction into fused multiply-adds, IEEE division
// and square root, denormals kept.
std::vector<std::string> CompilerOptions();

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_GENERATE_KERNEL_H_
