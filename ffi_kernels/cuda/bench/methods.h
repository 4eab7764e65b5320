// SPDX-License-Identifier: Apache-2.0
// The methods that are measured against each other for one problem.
//
//   fused      one call: all-reduce, residual, RMSNorm, two outputs
//   two_kernels    plain one-shot, then one kernel for residual and norm
//   three_kernels  plain one-shot, residual, norm
//   plain      the one-shot all-reduce alone
//   two_shot, two_shot_plain: fused and plain, two-shot
//   push_poll  16 bytes from each rank to each                            empty   a kernel that does nothing
//   two_kernels_pdl, push_poll_pdl, empty_pdl: the same, their other kernels launched early too (bench_kernels.h)
//   sharded, sharded_collectives: sharded_methods.h
//   nccl, nccl_two_kernels, nccl_three_kernels, with a GPU per rank: nccl_methods.h
//   and every kernel of the competitor libraries
//
// All of ours use the same workspaces, with kernels made by the CUDA backend.
#ifndef FFI_KERNELS_CUDA_BENCH_METHODS_H_
#define FFI_KERNELS_CUDA_BENCH_METHODS_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/bench/competitor_library.h"
#include "ffi_kernels/cuda/bench/nccl_methods.h"
#include "ffi_kernels/cuda/bench/one_shot_ranks.h"
#include "ffi_kernels/cuda/bench/problem.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

// A wrong result of ours is an error; other methods with wrong results are skipped.
enum class Origin : uint8_t { kOurs, kNccl, kPublic };

struct Method {
  std::string name;
  Origin origin = Origin::kOurs;
  Leaves leaves = Leaves::kNothing;
  Result<LaunchLink> launch;  // or why this method does not support this shape
};

struct Tools {
  const RankGpus* gpus;
  const RankKernels* kernels;
  const std::vector<CompetitorLibrary>* competitors;
  MaybeNccl nccl;
  const std::set<std::string>* wanted = nullptr;  // names, except the competitors'; null or empty: all
};

// The one-shot programs that these methods launch; all if `wanted` is empty.
OneShots OneShotsOf(const std::set<std::string>& wanted);

// All methods for `problem`'s shape. Their launches refer to `problem` and to the objects that `tools` points to, and
// keep `ranks` alive.
std::vector<Method> MakeMethods(const Tools& tools, const std::shared_ptr<const OneShotRanks>& ranks,
                                const Problem& problem);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_METHODS_H_
