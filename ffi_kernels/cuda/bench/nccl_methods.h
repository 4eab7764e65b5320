// SPDX-License-Identifier: Apache-2.0
// What XLA runs without fusion: NCCL's all-reduce, then kernels for residual and norm.
//
//   nccl                the all-reduce alone
//   nccl_two_kernels    then residual and norm in one kernel
//   nccl_three_kernels  then residual and norm in two kernels
#ifndef FFI_KERNELS_CUDA_BENCH_NCCL_METHODS_H_
#define FFI_KERNELS_CUDA_BENCH_NCCL_METHODS_H_

#include <memory>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/bench/nccl_ranks.h"
#include "ffi_kernels/cuda/bench/norm_after.h"
#include "ffi_kernels/cuda/bench/problem.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

// NCCL's ranks, or why there are none: then all these methods are skipped for that reason.
using MaybeNccl = Result<std::shared_ptr<const NcclRanks>>;

// Runs one all-reduce of the problem's size outside of any graph, and waits for it: on the first call of a size NCCL
// sets up what it needs, which is not part of the measurement.
Result<void> WarmUp(const NcclRanks& nccl, const RankGpus& gpus, const Problem& problem);

Result<LaunchLink> Nccl(const MaybeNccl& nccl, const Problem& problem);
Result<LaunchLink> NcclAndNorm(const MaybeNccl& nccl, const RankGpus& gpus, const RankKernels& kernels,
                               const Problem& problem, NormLaunch norm);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_NCCL_METHODS_H_
