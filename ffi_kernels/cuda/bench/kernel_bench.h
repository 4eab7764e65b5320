// Measures every method on one shape: microseconds per call, one value per turn.
//
// First every method's one call is held against the scalar evaluator. Then the methods take turns, so that what changes
// on the device meanwhile meets them all. At the end a chain must still leave what it left in its first run.
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
#include "ffi_kernels/cuda/bench/problem.h"
#include "ffi_kernels/cuda/bench/rank_gpus.h"
#include "ffi_kernels/cuda/kernel/kernel_cache.h"

namespace jax_oneshot::cuda::bench {

struct BenchOptions {
  std::vector<std::string> competitors;  // files of competitor libraries
  Placement placement = Placement::kOneGpu;
  bool nccl = true;               // with a GPU per rank
  std::set<std::string> methods;  // names of methods.h: only these, and the competitors'; empty: all
};

struct Measurement {
  std::map<std::string, std::vector<double>> us, public_us;  // by method: per turn
  std::map<std::string, std::string> skipped;                // by method: why
};

struct BenchDevice {
  std::string gpu, driver, nvrtc, arch;
  std::string nccl;  // its version; empty: not used here, or not found
  int multiprocessors = 0;
  int gpus = 0;        // that ranks are placed on
  int most_ranks = 0;  // that Measure takes
};

class KernelBench {
 public:
  // Compiled kernels are kept in DefaultCacheFolder().
  static Result<std::unique_ptr<KernelBench>> Make(const BenchOptions& options);

  BenchDevice device() const;
  // An error means that one of our own results is wrong, or that the device is lost to a kernel that does not end.
  Result<Measurement> Measure(const Shape& shape, int links, int turns);

 private:
  KernelBench(std::unique_ptr<RankGpus> gpus, RankKernels kernels, std::string nvrtc_version);

  struct Contender;
  struct Setting {
    const Problem& problem;
    const Clock& clock;
    const std::vector<Method>& methods;
    int links;
  };
  // The communicators of so many ranks, warm for this problem.
  MaybeNccl WarmNccl(const Problem& problem);
  Result<Measurement> TakeTurns(const Setting& setting, int turns) const;
  Result<std::vector<Contender>> Prepare(const Setting& setting, Measurement* out) const;
  Result<void> CheckFirst(const Problem& problem, const Method& method, const Clock& clock) const;
  Result<void> CheckLast(const std::vector<Contender>& contenders, const Problem& problem, int links) const;

  std::unique_ptr<RankGpus> gpus_;
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
