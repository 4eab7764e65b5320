// In:  a way to launch one call on one rank. Out: Chain: per rank a CUDA graph of `links` such calls, one after the
// other, each fed by the one before; and how long a call takes in it.
//
// Every rank's graph goes to a stream of its own. It starts with a gate that nobody passes before all ranks are there,
// and ends with a stamp; both read the device's clock. What start and end cost is divided by the links. The time of a
// chain is that of its slowest rank.
#ifndef FFI_KERNELS_CUDA_BENCH_CHAIN_H_
#define FFI_KERNELS_CUDA_BENCH_CHAIN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ffi_kernels/base/result.h"
#include "ffi_kernels/cuda/bench/bench_kernels.h"
#include "ffi_kernels/cuda/bench/co_residency.h"
#include "ffi_kernels/cuda/bench/gpu.h"

namespace jax_oneshot::cuda::bench {

inline constexpr uint64_t kKernelDeadlineNs = 5'000'000'000;  // what waits in a kernel gives up after this
inline constexpr double kHostDeadlineS = 20;                  // and the host, whatever the kernels do, after this

// The device's memory for gates and stamps. Gates count arrivals in whole rounds: one clock serves one number of ranks.
class Clock {
 public:
  static Result<Clock> Make(const Gpu& gpu, const BenchKernels& kernels);

  Result<void> LaunchGate(Stream stream, int rank, int ranks) const;
  Result<void> LaunchStamp(Stream stream, int rank) const;
  // Nanoseconds from the gate to the stamp on the slowest of `ranks`.
  Result<uint64_t> Elapsed(int ranks) const;

 private:
  const Gpu* gpu_ = nullptr;
  const BenchKernels* kernels_ = nullptr;
  Memory words_;  // arrivals; per rank start and end
};

// Launches call number `link` of the chain on `rank`.
using LaunchLink = std::function<Result<void>(int rank, int link, Stream stream)>;

class Chain {
 public:
  // Records the graphs, and checks that the launches that wait for each other fit on the device at once. Kernels of
  // `kernels` other than the floor's never wait.
  static Result<Chain> Record(const Gpu& gpu, const Clock& clock, const BenchKernels& kernels, int ranks, int links,
                              const LaunchLink& launch);
  Chain(Chain&& other) noexcept;
  Chain& operator=(Chain&&) = delete;
  ~Chain();

  // Runs it once. Nanoseconds per call.
  Result<double> Run() const;

 private:
  Chain(const Gpu& gpu, const Clock& clock, int links) : gpu_(&gpu), clock_(&clock), links_(links) {}
  Result<void> RecordRank(const BenchKernels& kernels, int rank, int ranks, const LaunchLink& launch);

  const Gpu* gpu_;
  const Clock* clock_;
  int links_;
  std::vector<GraphExec> graphs_;  // per rank
  std::vector<Demand> demands_;    // per rank
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_CHAIN_H_
