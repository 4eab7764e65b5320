// SPDX-License-Identifier: Apache-2.0
// The ways to launch residual and norm after an all-reduce.
#ifndef FFI_KERNELS_CUDA_BENCH_NORM_AFTER_H_
#define FFI_KERNELS_CUDA_BENCH_NORM_AFTER_H_

#include "base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/problem.h"

namespace jax_oneshot::cuda::bench {

using NormLaunch = Result<void> (*)(const BenchKernels& kernels, Stream stream, const NormCall& call);

// Residual and norm in one kernel; the same, started early; residual and norm in one kernel each.
inline Result<void> OneNorm(const BenchKernels& kernels, Stream stream, const NormCall& call) {
  return kernels.LaunchAddNorm(stream, call, Start::kInOrder);
}
inline Result<void> OneEarlyNorm(const BenchKernels& kernels, Stream stream, const NormCall& call) {
  return kernels.LaunchAddNorm(stream, call, Start::kEarly);
}
inline Result<void> TwoNorms(const BenchKernels& kernels, Stream stream, const NormCall& call) {
  return kernels.LaunchAddThenNorm(stream, call);
}

// Their buffers after call `link` on `rank`.
inline NormCall NormOf(const Problem& problem, int rank, int link) {
  const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
  return {call.sum_out,         call.residual,         call.gamma, call.norm_out, call.residual_out,
          problem.shape().rows, problem.shape().width, kEpsilon};
}

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_NORM_AFTER_H_
