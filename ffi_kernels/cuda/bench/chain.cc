// In:  a way to launch one call on one rank. Out: a chain of calls, and how long one takes in it. See chain.h.
#include "ffi_kernels/cuda/bench/chain.h"

#include <algorithm>
#include <array>
#include <utility>

namespace jax_oneshot::cuda::bench {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

DevicePointer StartOf(DevicePointer words, int rank) { return words + kWord * (1 + 2 * static_cast<size_t>(rank)); }
DevicePointer EndOf(DevicePointer words, int rank) { return StartOf(words, rank) + kWord; }

// The hungriest of one rank's launches that wait for other ranks'.
Result<Demand> DemandOf(const Gpu& gpu, const BenchKernels& kernels, Graph graph) {
  const Result<std::vector<KernelLaunch>> launches = LaunchesOf(gpu.driver(), graph);
  if (!launches) return Err(launches.error());
  Demand most = {0, 1};
  for (const KernelLaunch& launch : *launches) {
    if (kernels.NeverWaits(launch.function)) continue;
    const Result<int64_t> fit = BlocksThatFit(gpu.driver(), launch, gpu.multiprocessors());
    if (!fit) return Err(fit.error());
    const Demand demand = {Blocks(launch), *fit};
    if (demand.blocks * most.fit >= most.blocks * demand.fit) most = demand;
  }
  return most;
}

}  // namespace

Result<Clock> Clock::Make(const Gpu& gpu, const BenchKernels& kernels) {
  Result<Memory> words = gpu.Allocate(kWord * (1 + 2 * kMaxRanks));
  if (!words) return Err(words.error());
  Clock clock;
  clock.gpu_ = &gpu;
  clock.kernels_ = &kernels;
  clock.words_ = *std::move(words);
  return clock;
}

Result<void> Clock::LaunchGate(Stream stream, int rank, int ranks) const {
  return kernels_->LaunchGate(stream, words_.at(), ranks, kKernelDeadlineNs, StartOf(words_.at(), rank));
}

Result<void> Clock::LaunchStamp(Stream stream, int rank) const {
  return kernels_->LaunchStamp(stream, EndOf(words_.at(), rank));
}

Result<uint64_t> Clock::Elapsed(int ranks) const {
  std::array<uint64_t, 1 + 2 * kMaxRanks> words = {};
  ONESHOT_CUDA_RETURN_IF_ERROR(gpu_->driver(), cuMemcpyDtoH_v2(words.data(), words_.at(), sizeof(words)));
  uint64_t longest = 0;
  for (size_t rank = 0; rank < static_cast<size_t>(ranks); ++rank) {
    longest = std::max(longest, words[2 + 2 * rank] - words[1 + 2 * rank]);
  }
  return longest;
}

Result<Chain> Chain::Record(const Gpu& gpu, const Clock& clock, const BenchKernels& kernels, int ranks, int links,
                            const LaunchLink& launch) {
  Chain chain(gpu, clock, links);
  for (int rank = 0; rank < ranks; ++rank) {
    if (Result<void> recorded = chain.RecordRank(kernels, rank, ranks, launch); !recorded) return Err(recorded.error());
  }
  if (Result<void> fits = CheckCoResidency(chain.demands_); !fits) return Err(fits.error());
  return chain;
}

Result<void> Chain::RecordRank(const BenchKernels& kernels, int rank, int ranks, const LaunchLink& launch) {
  const CudaDriver& driver = gpu_->driver();
  const Stream stream = gpu_->stream(rank);
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamBeginCapture_v2(stream, kCaptureRelaxed));
  Result<void> launched = clock_->LaunchGate(stream, rank, ranks);
  for (int link = 0; launched && link < links_; ++link) launched = launch(rank, link, stream);
  if (launched) launched = clock_->LaunchStamp(stream, rank);
  Graph graph = nullptr;
  Result<void> captured = driver.Check("cuStreamEndCapture", driver.cuStreamEndCapture(stream, &graph));
  if (!launched) return launched;  // what went wrong first
  if (!captured) return captured;
  const Result<Demand> demand = DemandOf(*gpu_, kernels, graph);
  GraphExec exec = nullptr;
  const Status instantiated = driver.cuGraphInstantiateWithFlags(&exec, graph, 0);
  driver.cuGraphDestroy(graph);
  if (!demand) return Err(demand.error());
  if (Result<void> ok = driver.Check("cuGraphInstantiateWithFlags", instantiated); !ok) return ok;
  graphs_.push_back(exec);
  demands_.push_back(*demand);
  // Now, because a launch that first had to bring its graph to the device might wait for kernels that wait for it.
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphUpload(exec, stream));
  return {};
}

Chain::Chain(Chain&& other) noexcept
    : gpu_(other.gpu_),
      clock_(other.clock_),
      links_(other.links_),
      graphs_(std::exchange(other.graphs_, {})),
      demands_(std::move(other.demands_)) {}

Chain::~Chain() {
  for (GraphExec graph : graphs_) gpu_->driver().cuGraphExecDestroy(graph);
}

Result<double> Chain::Run() const {
  const int ranks = static_cast<int>(graphs_.size());
  for (int rank = 0; rank < ranks; ++rank) {
    ONESHOT_CUDA_RETURN_IF_ERROR(gpu_->driver(), cuGraphLaunch(graphs_[static_cast<size_t>(rank)], gpu_->stream(rank)));
  }
  if (Result<void> ended = gpu_->Wait(kHostDeadlineS); !ended) return Err(ended.error());
  const Result<uint64_t> elapsed = clock_->Elapsed(ranks);
  if (!elapsed) return Err(elapsed.error());
  if (*elapsed >= kKernelDeadlineNs) return Err("a rank did not start within 5 s of the others");
  return static_cast<double>(*elapsed) / links_;
}

}  // namespace jax_oneshot::cuda::bench
