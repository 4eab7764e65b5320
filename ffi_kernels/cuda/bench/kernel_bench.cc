// SPDX-License-Identifier: Apache-2.0
// Implementation of kernel_bench.h.
#include "ffi_kernels/cuda/bench/kernel_bench.h"

#include <algorithm>
#include <utility>

#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"

namespace jax_oneshot::cuda::bench {
namespace {

Result<void> CheckRequest(const Shape& shape, const RankGpus& gpus, int links, int turns) {
  if (shape.ranks < 2 || shape.ranks > gpus.most_ranks()) {
    const std::string why = gpus.count() > 1 ? ", a GPU for each," : "";
    return Err("the kernel benchmark takes 2 to " + std::to_string(gpus.most_ranks()) + " ranks" + why + " here; got " +
               std::to_string(shape.ranks));
  }
  if (shape.rows < 1 || shape.width < 1) {
    return Err("rows and width must be at least 1; got " + std::to_string(shape.rows) + " and " +
               std::to_string(shape.width));
  }
  if (links < 1 || turns < 1) {
    return Err("links and turns must be at least 1; got " + std::to_string(links) + " and " + std::to_string(turns));
  }
  return {};
}

// NCCL rounds to bf16 after each rank's addend, in an order of its own.
Exactness ExactnessOf(Origin origin, int ranks) {
  if (origin == Origin::kOurs) return {};
  return {/*equal_bits=*/false, origin == Origin::kNccl ? std::max(2, ranks) : 2};
}

Result<NcclLibrary> NcclFor(const BenchOptions& options) {
  if (options.placement == Placement::kOneGpu) return Err("NCCL takes a GPU per rank");
  return options.nccl ? LoadNccl() : Err("left out with --no-nccl");
}

std::string Named(const Method& method, const std::string& error) { return method.name + ": " + error; }

}  // namespace

// A method that takes part: its chain, and the results of the chain's first run.
struct KernelBench::Contender {
  const Method* method;
  Chain chain;
  BF16s first;
};

KernelBench::KernelBench(std::shared_ptr<const RankGpus> gpus, RankKernels kernels, std::string nvrtc_version)
    : gpus_(std::move(gpus)), kernels_(std::move(kernels)), nvrtc_version_(std::move(nvrtc_version)) {}

Result<std::unique_ptr<KernelBench>> KernelBench::Make(const BenchOptions& options) {
  const Result<CudaDriver>& driver = LoadCudaDriver();
  if (!driver) return Err(driver.error());
  const Result<Nvrtc>& nvrtc = LoadNvrtc();
  if (!nvrtc) return Err(nvrtc.error());
  Result<std::unique_ptr<RankGpus>> gpus = OpenGpus(*driver, options.placement);
  if (!gpus) return Err(gpus.error());
  const Result<Compilation> compiled = CompileBenchKernels(*nvrtc, (*gpus)->of(0).arch());
  if (!compiled) return Err(compiled.error());
  Result<RankKernels> kernels = RankKernels::Load(**gpus, compiled->cubin);
  if (!kernels) return Err(kernels.error());
  std::unique_ptr<KernelBench> bench(new KernelBench(*std::move(gpus), *std::move(kernels), nvrtc->VersionText()));
  bench->cache_ = std::make_unique<KernelCache>(*nvrtc, DefaultCacheFolder());
  bench->wanted_ = options.methods;
  bench->nccl_library_ = NcclFor(options);
  for (const std::string& path : options.competitors) {
    Result<CompetitorLibrary> library = CompetitorLibrary::Load(path);
    if (!library) return Err(library.error());
    bench->competitors_.push_back(*std::move(library));
  }
  return bench;
}

BenchDevice KernelBench::device() const {
  const Gpu& first = gpus_->of(0);
  BenchDevice device;
  device.gpu = first.name();
  device.driver = gpus_->driver().VersionText();
  device.nvrtc = nvrtc_version_;
  device.arch = first.arch();
  if (nccl_library_) device.nccl = nccl_library_->version;
  device.multiprocessors = first.multiprocessors();
  device.gpus = static_cast<int>(gpus_->count());
  device.most_ranks = gpus_->most_ranks();
  return device;
}

// One call on its own, compared with the evaluator.
Result<void> KernelBench::CheckFirst(const Problem& problem, const Method& method, const Clock& clock) const {
  const Result<Chain> once = Chain::Record(clock, problem.shape().ranks, 1, *method.launch);
  if (!once) return Err(once.error());
  if (Result<void> forgotten = problem.ForgetResults(); !forgotten) return forgotten;
  if (Result<double> ran = once->Run(); !ran) return Err(ran.error());
  return problem.CheckOneCall(method.leaves, ExactnessOf(method.origin, problem.shape().ranks));
}

Result<Measurement> KernelBench::Measure(const Shape& shape, int links, int turns) {
  if (Result<void> checked = CheckRequest(shape, *gpus_, links, turns); !checked) return Err(checked.error());
  const Result<Problem> problem = Problem::Make(*gpus_, shape);
  if (!problem) return Err(problem.error());
  const Result<Clock> clock = Clock::Make(*gpus_, kernels_);
  if (!clock) return Err(clock.error());
  const auto ranks = OneShotRanks::Make(gpus_, *cache_, shape, OneShotsOf(wanted_));
  if (!ranks) return Err(ranks.error());
  const std::vector<Method> methods =
      MakeMethods({gpus_.get(), &kernels_, &competitors_, WarmNccl(*problem), &wanted_}, *ranks, *problem);
  Result<Measurement> measured = TakeTurns({*problem, *clock, methods, links}, turns);
  return measured ? measured : Err(measured.error() + (*ranks)->GaveUp());
}

MaybeNccl KernelBench::WarmNccl(const Problem& problem) {
  if (!nccl_library_) return Err(nccl_library_.error());
  const int ranks = problem.shape().ranks;
  auto found = nccl_.find(ranks);
  if (found == nccl_.end()) found = nccl_.emplace(ranks, NcclRanks::Make(*nccl_library_, *gpus_, ranks)).first;
  if (!found->second) return found->second;
  Result<void> warm = WarmUp(**found->second, *gpus_, problem);
  return warm ? found->second : MaybeNccl(Err(warm.error()));
}

Result<Measurement> KernelBench::TakeTurns(const Setting& setting, int turns) const {
  Measurement out;
  Result<std::vector<Contender>> contenders = Prepare(setting, &out);
  if (!contenders) return Err(contenders.error());
  for (int turn = 0; turn < turns; ++turn) {
    for (const Contender& contender : *contenders) {
      const Result<double> nanoseconds = contender.chain.Run();
      if (!nanoseconds) return Err(Named(*contender.method, nanoseconds.error()));
      auto& times = contender.method->origin == Origin::kPublic ? out.public_us : out.us;
      times[contender.method->name].push_back(*nanoseconds * 1e-3);
    }
  }
  if (Result<void> same = CheckLast(*contenders, setting.problem, setting.links); !same) return Err(same.error());
  return out;
}

// The methods that can be launched and whose results are correct.
Result<std::vector<KernelBench::Contender>> KernelBench::Prepare(const Setting& setting, Measurement* out) const {
  std::vector<Contender> contenders;
  for (const Method& method : setting.methods) {
    Result<Chain> chain =
        method.launch ? Chain::Record(setting.clock, setting.problem.shape().ranks, setting.links, *method.launch)
                      : Err(method.launch.error());
    if (!chain) {
      out->skipped[method.name] = chain.error();
      continue;
    }
    if (Result<void> right = CheckFirst(setting.problem, method, setting.clock); !right) {
      if (method.origin == Origin::kOurs) return Err(Named(method, right.error()));
      out->skipped[method.name] = right.error();
      continue;
    }
    if (Result<double> warm = chain->Run(); !warm) return Err(Named(method, warm.error()));
    Result<BF16s> first = setting.problem.Results(setting.links, method.leaves);
    if (!first) return Err(first.error());
    contenders.push_back({&method, *std::move(chain), *std::move(first)});
  }
  return contenders;
}

Result<void> KernelBench::CheckLast(const std::vector<Contender>& contenders, const Problem& problem, int links) const {
  for (const Contender& contender : contenders) {
    if (Result<double> ran = contender.chain.Run(); !ran) return Err(Named(*contender.method, ran.error()));
    const Result<BF16s> last = problem.Results(links, contender.method->leaves);
    if (!last) return Err(last.error());
    if (*last != contender.first) {
      return Err(Named(*contender.method, "its last run left other bits than its first, on the same inputs"));
    }
  }
  return {};
}

}  // namespace jax_oneshot::cuda::bench
