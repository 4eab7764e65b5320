// SPDX-License-Identifier: Apache-2.0
// Chain: a CUDA graph per rank with `links` calls, each of which reads the result of the previous one; measures the
// time per call.
//
// Every rank's graph runs on its own stream. It starts with a gate that no rank passes before all have arrived, and
// ends with a stamp; both read the clock of the rank's own GPU, because the clocks of two GPUs differ. The cost of
// start and end is divided by the number of links. The time of a chain is that of its slowest rank.
#ifndef FFI_KERNELS_CUDA_BENCH_CHAIN_H_
#define FFI_KERNELS_CUDA_BENCH_CHAIN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/co_residency.h"
#include "ffi_kernels/cuda/local_ranks/gpu.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

inline constexpr uint64_t kKernelDeadlineNs = 5'000'000'000;  // kernels that wait give up after this
inline constexpr double kHostDeadlineS = 20;                  // the host gives up after this, whatever the kernels do

// The GPU memory of gates and stamps. Gates count arrivals in whole rounds, so one clock serves one number of ranks.
// All ranks count in the first GPU's memory.
class Clock {
 public:
  static Result<Clock> Make(const RankGpus& gpus, const RankKernels& kernels);

  const RankGpus& gpus() const { return *gpus_; }
  const RankKernels& kernels() const { return *kernels_; }

  // The rank's GPU must be current.
  Result<void> LaunchGate(int rank, int ranks) const;
  Result<void> LaunchStamp(int rank) const;
  // Nanoseconds from gate to stamp on the slowest of `ranks`.
  Result<uint64_t> Elapsed(int ranks) const;

 private:
  const RankGpus* gpus_ = nullptr;
  const RankKernels* kernels_ = nullptr;
  std::vector<Memory> words_;  // per GPU: arrivals; start and end per rank, used for its own ranks
};

// Launches call number `link` of the chain on all ranks, each on its own stream.
using LaunchLink = std::function<Result<void>(int link)>;

// The same from a function that launches on one rank; it is called with the rank's GPU current.
using LaunchOnRank = std::function<Result<void>(int rank, int link, Stream stream)>;
LaunchLink OnEveryRank(const RankGpus& gpus, int ranks, LaunchOnRank launch);

class Chain {
 public:
  // Records the graphs, all at once, because a launch may be one call for all ranks (NCCL's groups). Checks that on
  // each GPU the launches that wait for each other fit at once; of the benchmark's own kernels only the floor's wait.
  static Result<Chain> Record(const Clock& clock, int ranks, int links, const LaunchLink& launch);
  Chain(Chain&& other) noexcept;
  Chain& operator=(Chain&&) = delete;
  ~Chain();

  // Runs it once. Returns nanoseconds per call.
  Result<double> Run() const;

 private:
  Chain(const Clock& clock, int links) : clock_(&clock), links_(links) {}
  Result<void> Launch(int ranks, const LaunchLink& launch) const;
  Result<void> Instantiate(int rank, Graph graph);
  Result<void> CheckDemands() const;

  const Clock* clock_;
  int links_;
  std::vector<GraphExec> graphs_;  // per rank
  std::vector<Demand> demands_;    // per rank
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_CHAIN_H_
