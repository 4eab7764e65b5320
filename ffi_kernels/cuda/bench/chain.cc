// SPDX-License-Identifier: Apache-2.0
// Implementation of chain.h.
#include "ffi_kernels/cuda/bench/chain.h"

#include <algorithm>
#include <array>
#include <utility>

namespace jax_oneshot::cuda::bench {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr size_t kWords = 1 + 2 * kMaxRanks;

DevicePointer StartOf(DevicePointer words, int rank) { return words + kWord * (1 + 2 * static_cast<size_t>(rank)); }
DevicePointer EndOf(DevicePointer words, int rank) { return StartOf(words, rank) + kWord; }

// The largest of one rank's launches that wait for other ranks. The rank's GPU must be current.
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

// Captures the launches of `launch`, one graph per rank. Every capture that was begun is ended, even after an error.
class Capture {
 public:
  explicit Capture(const RankGpus& gpus) : gpus_(gpus) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    for (Graph graph : graphs_) {
      if (graph != nullptr) gpus_.driver().cuGraphDestroy(graph);
    }
  }

  Result<void> Run(int ranks, const std::function<Result<void>()>& launch) {
    Result<void> first = {};  // the first error
    int begun = 0;
    for (; first && begun < ranks; begun += first ? 1 : 0) first = Begin(begun);
    if (first) first = launch();
    for (int rank = 0; rank < begun; ++rank) {
      if (Result<void> ended = End(rank); first && !ended) first = ended;
    }
    return first;
  }

  Graph graph(int rank) const { return graphs_[static_cast<size_t>(rank)]; }

 private:
  Result<void> Begin(int rank) const {
    if (Result<void> current = gpus_.of(rank).MakeCurrent(); !current) return current;
    ONESHOT_CUDA_RETURN_IF_ERROR(gpus_.driver(), cuStreamBeginCapture_v2(gpus_.stream(rank), kCaptureRelaxed));
    return {};
  }

  Result<void> End(int rank) {
    graphs_.push_back(nullptr);
    if (Result<void> current = gpus_.of(rank).MakeCurrent(); !current) return current;
    ONESHOT_CUDA_RETURN_IF_ERROR(gpus_.driver(), cuStreamEndCapture(gpus_.stream(rank), &graphs_.back()));
    return {};
  }

  const RankGpus& gpus_;
  std::vector<Graph> graphs_;  // per rank
};

}  // namespace

Result<Clock> Clock::Make(const RankGpus& gpus, const RankKernels& kernels) {
  Clock clock;
  clock.gpus_ = &gpus;
  clock.kernels_ = &kernels;
  for (size_t i = 0; i < gpus.count(); ++i) {
    Result<Memory> words = gpus.gpu(i).Allocate(kWord * kWords);
    if (!words) return Err(words.error());
    clock.words_.push_back(*std::move(words));
  }
  return clock;
}

Result<void> Clock::LaunchGate(int rank, int ranks) const {
  return kernels_->of(rank).LaunchGate(gpus_->stream(rank), words_.front().at(), ranks, kKernelDeadlineNs,
                                       StartOf(words_[gpus_->index(rank)].at(), rank));
}

Result<void> Clock::LaunchStamp(int rank) const {
  return kernels_->of(rank).LaunchStamp(gpus_->stream(rank), EndOf(words_[gpus_->index(rank)].at(), rank));
}

Result<uint64_t> Clock::Elapsed(int ranks) const {
  std::vector<std::array<uint64_t, kWords>> words(gpus_->count());
  for (size_t i = 0; i < words.size(); ++i) {
    if (Result<void> read = gpus_->gpu(i).Read(words[i].data(), words_[i].at(), kWord * kWords); !read) {
      return Err(read.error());
    }
  }
  uint64_t longest = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const std::array<uint64_t, kWords>& of = words[gpus_->index(rank)];
    const size_t start = StartOf(0, rank) / kWord, end = EndOf(0, rank) / kWord;
    longest = std::max(longest, of.at(end) - of.at(start));
  }
  return longest;
}

LaunchLink OnEveryRank(const RankGpus& gpus, int ranks, LaunchOnRank launch) {
  return [&gpus, ranks, launch = std::move(launch)](int link) -> Result<void> {
    Result<void> launched = {};
    for (int rank = 0; launched && rank < ranks; ++rank) {
      launched = gpus.of(rank).MakeCurrent();
      if (launched) launched = launch(rank, link, gpus.stream(rank));
    }
    return launched;
  };
}

Result<Chain> Chain::Record(const Clock& clock, int ranks, int links, const LaunchLink& launch) {
  Chain chain(clock, links);
  Capture capture(clock.gpus());
  Result<void> done = capture.Run(ranks, [&] { return chain.Launch(ranks, launch); });
  for (int rank = 0; done && rank < ranks; ++rank) done = chain.Instantiate(rank, capture.graph(rank));
  if (done) done = chain.CheckDemands();
  if (!done) return Err(done.error());
  return chain;
}

Result<void> Chain::Launch(int ranks, const LaunchLink& launch) const {
  const auto gate = [&](int rank, int, Stream) { return clock_->LaunchGate(rank, ranks); };
  const auto stamp = [&](int rank, int, Stream) { return clock_->LaunchStamp(rank); };
  Result<void> launched = OnEveryRank(clock_->gpus(), ranks, gate)(0);
  for (int link = 0; launched && link < links_; ++link) launched = launch(link);
  if (launched) launched = OnEveryRank(clock_->gpus(), ranks, stamp)(0);
  return launched;
}

Result<void> Chain::Instantiate(int rank, Graph graph) {
  const Gpu& gpu = clock_->gpus().of(rank);
  if (Result<void> current = gpu.MakeCurrent(); !current) return current;
  const Result<Demand> demand = DemandOf(gpu, clock_->kernels().of(rank), graph);
  if (!demand) return Err(demand.error());
  demands_.push_back(*demand);
  GraphExec exec = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(gpu.driver(), cuGraphInstantiateWithFlags(&exec, graph, 0));
  graphs_.push_back(exec);
  // Now, because a launch that first had to upload its graph might wait for kernels that wait for it.
  ONESHOT_CUDA_RETURN_IF_ERROR(gpu.driver(), cuGraphUpload(exec, clock_->gpus().stream(rank)));
  return {};
}

// Ranks on different GPUs do not compete for space.
Result<void> Chain::CheckDemands() const {
  std::vector<std::vector<Demand>> by_gpu(clock_->gpus().count());
  for (size_t rank = 0; rank < demands_.size(); ++rank) {
    by_gpu[clock_->gpus().index(static_cast<int>(rank))].push_back(demands_[rank]);
  }
  for (const std::vector<Demand>& demands : by_gpu) {
    if (Result<void> fits = CheckCoResidency(demands); !fits) return fits;
  }
  return {};
}

Chain::Chain(Chain&& other) noexcept
    : clock_(other.clock_),
      links_(other.links_),
      graphs_(std::exchange(other.graphs_, {})),
      demands_(std::move(other.demands_)) {}

Chain::~Chain() {
  for (size_t rank = 0; rank < graphs_.size(); ++rank) {
    const Gpu& gpu = clock_->gpus().of(static_cast<int>(rank));
    if (gpu.MakeCurrent()) gpu.driver().cuGraphExecDestroy(graphs_[rank]);
  }
}

Result<double> Chain::Run() const {
  const int ranks = static_cast<int>(graphs_.size());
  const RankGpus& gpus = clock_->gpus();
  for (int rank = 0; rank < ranks; ++rank) {
    if (Result<void> current = gpus.of(rank).MakeCurrent(); !current) return Err(current.error());
    ONESHOT_CUDA_RETURN_IF_ERROR(gpus.driver(), cuGraphLaunch(graphs_[static_cast<size_t>(rank)], gpus.stream(rank)));
  }
  if (Result<void> ended = gpus.Wait(kHostDeadlineS); !ended) return Err(ended.error());
  const Result<uint64_t> elapsed = clock_->Elapsed(ranks);
  if (!elapsed) return Err(elapsed.error());
  if (*elapsed >= kKernelDeadlineNs) return Err("a rank did not start within 5 s of the others");
  return static_cast<double>(*elapsed) / links_;
}

}  // namespace jax_oneshot::cuda::bench
