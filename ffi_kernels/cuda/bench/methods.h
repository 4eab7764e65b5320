// In:  a problem on a GPU. Out: the ways of doing it that are measured beside each other.
//
//   fused      one call: all-reduce, residual, RMSNorm, two outputs
//   apart      plain one-shot, then one kernel for residual and norm      three   plain one-shot, residual, norm
//   plain      the one-shot all-reduce alone
//   push_poll  16 bytes from each rank to each                            empty   a kernel that does nothing
//   sharded, sharded_apart: sharded_methods.h. And every kernel of the competitor libraries.
//
// All of ours go through the same workspaces, with kernels that the CUDA backend makes.
#ifndef FFI_KERNELS_CUDA_BENCH_METHODS_H_
#define FFI_KERNELS_CUDA_BENCH_METHODS_H_

#include <memory>
#include <string>
#include <vector>

#include "ffi_kernels/base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/bench/competitor_library.h"
#include "ffi_kernels/cuda/bench/gpu.h"
#include "ffi_kernels/cuda/bench/one_shot_ranks.h"
#include "ffi_kernels/cuda/bench/problem.h"

namespace jax_oneshot::cuda::bench {

struct Method {
  std::string name;
  bool is_public = false;
  Leaves leaves = Leaves::kNothing;
  Result<LaunchLink> launch;  // or why this method does not take this shape
};

struct Tools {
  const Gpu* gpu;
  const BenchKernels* kernels;
  const std::vector<CompetitorLibrary>* competitors;
};

// All methods of `problem`'s shape. What they launch refers to `problem` and to `tools`, and keeps `ranks` alive.
std::vector<Method> MakeMethods(const Tools& tools, const std::shared_ptr<const OneShotRanks>& ranks,
                                const Problem& problem);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_METHODS_H_
