// In:  a shape, a length of chain, a number of turns. Out: microseconds per call of every method. See kernel_bench.h.
#include "ffi_kernels/cuda/bench/kernel_bench.h"

#include <utility>

#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr int kStreams = 8;  // ranks at most: a stream each

Result<void> CheckRequest(const Shape& shape, int links, int turns) {
  if (shape.ranks < 2 || shape.ranks > kStreams) {
    return Err("the kernel benchmark takes 2 to " + std::to_string(kStreams) + " ranks; got " +
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

std::string Named(const Method& method, const std::string& error) { return method.name + ": " + error; }

}  // namespace

// A method that takes part: its chain, and what that left the first time.
struct KernelBench::Contender {
  const Method* method;
  Chain chain;
  BF16s first;
};

KernelBench::KernelBench(std::unique_ptr<Gpu> gpu, BenchKernels kernels, std::string nvrtc_version)
    : gpu_(std::move(gpu)), kernels_(kernels), nvrtc_version_(std::move(nvrtc_version)) {}

Result<std::unique_ptr<KernelBench>> KernelBench::Make(const std::vector<std::string>& competitors) {
  const Result<CudaDriver>& driver = LoadCudaDriver();
  if (!driver) return Err(driver.error());
  const Result<Nvrtc>& nvrtc = LoadNvrtc();
  if (!nvrtc) return Err(nvrtc.error());
  Result<std::unique_ptr<Gpu>> gpu = Gpu::Open(*driver, kStreams);
  if (!gpu) return Err(gpu.error());
  const Result<Compilation> compiled = CompileBenchKernels(*nvrtc, (*gpu)->arch());
  if (!compiled) return Err(compiled.error());
  Result<BenchKernels> kernels = BenchKernels::Load(**gpu, compiled->cubin);
  if (!kernels) return Err(kernels.error());
  std::unique_ptr<KernelBench> bench(new KernelBench(*std::move(gpu), *std::move(kernels), nvrtc->VersionText()));
  bench->cache_ = std::make_unique<KernelCache>(*nvrtc, DefaultCacheFolder());
  for (const std::string& path : competitors) {
    Result<CompetitorLibrary> library = CompetitorLibrary::Load(path);
    if (!library) return Err(library.error());
    bench->competitors_.push_back(*std::move(library));
  }
  return bench;
}

BenchDevice KernelBench::device() const {
  return {gpu_->name(), gpu_->driver().VersionText(), nvrtc_version_, gpu_->arch(), gpu_->multiprocessors()};
}

// One call alone, against the evaluator.
Result<void> KernelBench::CheckFirst(const Problem& problem, const Method& method, const Clock& clock) const {
  const Result<Chain> once = Chain::Record(*gpu_, clock, kernels_, problem.shape().ranks, 1, *method.launch);
  if (!once) return Err(once.error());
  if (Result<void> forgotten = problem.ForgetResults(*gpu_); !forgotten) return forgotten;
  if (Result<double> ran = once->Run(); !ran) return Err(ran.error());
  return problem.CheckOneCall(*gpu_, method.leaves, /*equal_bits=*/!method.is_public);
}

Result<Measurement> KernelBench::Measure(const Shape& shape, int links, int turns) {
  if (Result<void> checked = CheckRequest(shape, links, turns); !checked) return Err(checked.error());
  const Result<Problem> problem = Problem::Make(*gpu_, shape);
  if (!problem) return Err(problem.error());
  const Result<Clock> clock = Clock::Make(*gpu_, kernels_);
  if (!clock) return Err(clock.error());
  const Result<std::shared_ptr<const OneShotRanks>> ranks = OneShotRanks::Make(*gpu_, *cache_, shape);
  if (!ranks) return Err(ranks.error());
  const std::vector<Method> methods = MakeMethods({gpu_.get(), &kernels_, &competitors_}, *ranks, *problem);
  Result<Measurement> measured = TakeTurns({*problem, *clock, methods, links}, turns);
  return measured ? measured : Err(measured.error() + (*ranks)->GaveUp());
}

Result<Measurement> KernelBench::TakeTurns(const Setting& setting, int turns) const {
  Measurement out;
  Result<std::vector<Contender>> contenders = Prepare(setting, &out);
  if (!contenders) return Err(contenders.error());
  for (int turn = 0; turn < turns; ++turn) {
    for (const Contender& contender : *contenders) {
      const Result<double> nanoseconds = contender.chain.Run();
      if (!nanoseconds) return Err(Named(*contender.method, nanoseconds.error()));
      auto& times = contender.method->is_public ? out.public_us : out.us;
      times[contender.method->name].push_back(*nanoseconds * 1e-3);
    }
  }
  if (Result<void> same = CheckLast(*contenders, setting.problem, setting.links); !same) return Err(same.error());
  return out;
}

// Those whose launches are possible and whose results are right.
Result<std::vector<KernelBench::Contender>> KernelBench::Prepare(const Setting& setting, Measurement* out) const {
  std::vector<Contender> contenders;
  for (const Method& method : setting.methods) {
    Result<Chain> chain = method.launch ? Chain::Record(*gpu_, setting.clock, kernels_, setting.problem.shape().ranks,
                                                        setting.links, *method.launch)
                                        : Err(method.launch.error());
    if (!chain) {
      out->skipped[method.name] = chain.error();
      continue;
    }
    if (Result<void> right = CheckFirst(setting.problem, method, setting.clock); !right) {
      if (!method.is_public) return Err(Named(method, right.error()));
      out->skipped[method.name] = right.error();
      continue;
    }
    if (Result<double> warm = chain->Run(); !warm) return Err(Named(method, warm.error()));
    Result<BF16s> first = setting.problem.Results(*gpu_, setting.links, method.leaves);
    if (!first) return Err(first.error());
    contenders.push_back({&method, *std::move(chain), *std::move(first)});
  }
  return contenders;
}

Result<void> KernelBench::CheckLast(const std::vector<Contender>& contenders, const Problem& problem, int links) const {
  for (const Contender& contender : contenders) {
    if (Result<double> ran = contender.chain.Run(); !ran) return Err(Named(*contender.method, ran.error()));
    const Result<BF16s> last = problem.Results(*gpu_, links, contender.method->leaves);
    if (!last) return Err(last.error());
    if (*last != contender.first) {
      return Err(Named(*contender.method, "its last run left other bits than its first, on the same inputs"));
    }
  }
  return {};
}

}  // namespace jax_oneshot::cuda::bench
