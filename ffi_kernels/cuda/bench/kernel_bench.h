// SPDX-License-Identifier: Apache-2.0
// Measures every method on one shape: microseconds per call, one value per turn.
//
// First, one call of every method is compared with the scalar evaluator. Then the methods take turns, so that changes
// on the device over time affect all of them. At the end a chain must still give the results of its first run.
#ifndef FFI_KERNELS_CUDA_BENCH_KERNEL_BENCH_H_
#define FFI_KERNELS_CUDA_BENCH_KERNEL_BENCH_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/bench/competitor_library.h"
#include "ffi_kernels/cuda/bench/methods.h"
#include "ffi_kernels/cuda/bench/nccl_ranks.h"
#include "ffi_kernels/cuda/bench/placement.h"
#include "ffi_kernels/cuda/bench/problem.h"
#include "ffi_kernels/cuda/kernel/kernel_cache.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

struct BenchOptions {
  std::vector<std::string> competitors;  // files of competitor libraries
  Placement placement = Placement::kOneGpu;
  bool nccl = true;               // if there is a GPU per rank
  std::set<std::string> methods;  // of methods.h: only these, and the competitors'; empty: all
};

struct Measurement {
  std::map<std::string, std::vector<double>> us, public_us;  // by method: per turn
  std::map<std::string, std::string> skipped;                // by method: the reason
};

struct BenchDevice {
  std::string gpu, driver, nvrtc, arch;
  std::string nccl;  // its version; empty: not used, or not found
  int multiprocessors = 0;
  int gpus = 0;        // on which ranks are placed
  int most_ranks = 0;  // accepted by Measure
};

class KernelBench {
 public:
  // Compiled kernels are kept in DefaultCacheFolder().
  static Result<std::unique_ptr<KernelBench>> Make(const BenchOptions& options);

  BenchDevice device() const;
  // An error means that one of our own results is wrong, or that a kernel does not end and the device is lost.
  Result<Measurement> Measure(const Shape& shape, int links, int turns);

 private:
  KernelBench(std::shared_ptr<const RankGpus> gpus, RankKernels kernels, std::string nvrtc_version);

  struct Contender;
  struct Setting {
    const Problem& problem;
    const Clock& clock;
    const std::vector<Method>& methods;
    int links;
  };
  // The communicators of this many ranks, warmed up for this problem.
  MaybeNccl WarmNccl(const Problem& problem);
  Result<Measurement> TakeTurns(const Setting& setting, int turns) const;
  Result<std::vector<Contender>> Prepare(const Setting& setting, Measurement* out) const;
  Result<void> CheckFirst(const Problem& problem, const Method& method, const Clock& clock) const;
  Result<void> CheckLast(const std::vector<Contender>& contenders, const Problem& problem, int links) const;

  std::shared_ptr<const RankGpus> gpus_;
  RankKernels kernels_;
  std::string nvrtc_version_;
  std::unique_ptr<KernelCache> cache_;
  std::vector<CompetitorLibrary> competitors_;
  std::set<std::string> wanted_;
  Result<NcclLibrary> nccl_library_;
  std::map<int, MaybeNccl> nccl_;  // by number of ranks
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_KERNEL_BENCH_H_
