// SPDX-License-Identifier: Apache-2.0
// The sharded norm as one call, and as the collectives that GSPMD emits.
//
//   sharded
//       one call: all-reduce, residual, RMSNorm with each rank's columns of gamma gathered in the same exchange
//   sharded_collectives
//       all-reduce [b,H]; residual and this rank's squares; all-reduce f32 [b,1]; this rank's columns of the norm;
//       all-gather: three collectives and the two kernels between them
#ifndef FFI_KERNELS_CUDA_BENCH_SHARDED_METHODS_H_
#define FFI_KERNELS_CUDA_BENCH_SHARDED_METHODS_H_

#include <memory>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/bench/one_shot_ranks.h"
#include "ffi_kernels/cuda/bench/problem.h"
#include "ffi_kernels/cuda/local_ranks/gpu.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

Result<LaunchOnRank> Sharded(std::shared_ptr<const OneShotRanks> ranks, const Problem& problem);
Result<LaunchOnRank> ShardedCollectives(const RankGpus& gpus, const RankKernels& kernels,
                                        std::shared_ptr<const OneShotRanks> ranks, const Problem& problem);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_SHARDED_METHODS_H_
