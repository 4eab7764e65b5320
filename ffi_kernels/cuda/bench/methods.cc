// In:  a problem on a GPU. Out: the ways of doing it that are measured. See methods.h.
#include "ffi_kernels/cuda/bench/methods.h"

#include <algorithm>
#include <utility>

#include "ffi_kernels/cuda/bench/sharded_methods.h"

namespace jax_oneshot::cuda::bench {
namespace {

using Ranks = std::shared_ptr<const OneShotRanks>;

Result<LaunchLink> Fused(const Ranks& ranks, const Problem& problem) {
  return [ranks, &problem](int rank, int link, Stream stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    return ranks->Launch(OneShot::kFused, stream, rank, {call.partial, call.residual, call.gamma},
                         {call.norm_out, call.residual_out});
  };
}

Result<LaunchLink> Plain(const Ranks& ranks, const Problem& problem) {
  return [ranks, &problem](int rank, int link, Stream stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kSum);
    return ranks->Launch(OneShot::kPlain, stream, rank, {call.partial}, {call.sum_out});
  };
}

using NormLaunch = Result<void> (BenchKernels::*)(Stream, const NormBuffers&, int, int, float) const;

Result<LaunchLink> PlainAndNorm(const Ranks& ranks, const Problem& problem, const BenchKernels& kernels,
                                NormLaunch norm) {
  if (Result<void> width = CheckWidth(problem.shape().width); !width) return Err(width.error());
  return [ranks, &problem, &kernels, norm](int rank, int link, Stream stream) -> Result<void> {
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    Result<void> summed = ranks->Launch(OneShot::kPlain, stream, rank, {call.partial}, {call.sum_out});
    if (!summed) return summed;
    const NormBuffers buffers = {call.sum_out, call.residual, call.gamma, call.norm_out, call.residual_out};
    return (kernels.*norm)(stream, buffers, problem.shape().rows, problem.shape().width, kEpsilon);
  };
}

Result<LaunchLink> Empty(const BenchKernels& kernels) {
  return [&kernels](int, int, Stream stream) { return kernels.LaunchEmpty(stream); };
}

Result<LaunchLink> PushPoll(const Gpu& gpu, const BenchKernels& kernels, int ranks) {
  struct State {
    std::vector<Memory> memory;  // per rank: its mailbox, its count of calls
    Mailboxes mailboxes;
  };
  constexpr size_t kMailboxBytes = 2 * kMaxRanks * 16;
  auto state = std::make_shared<State>();
  for (size_t i = 0; i < 2 * static_cast<size_t>(ranks); ++i) {
    Result<Memory> memory = gpu.Allocate(kMailboxBytes);
    if (!memory) return Err(memory.error());
    state->memory.push_back(*std::move(memory));
    if (i % 2 == 0) state->mailboxes.of[i / 2] = state->memory.back().at();
  }
  return [state, &kernels, ranks](int rank, int, Stream stream) {
    return kernels.LaunchPushPoll(stream, state->mailboxes, rank, ranks,
                                  state->memory[2 * static_cast<size_t>(rank) + 1].at(), kKernelDeadlineNs);
  };
}

Result<LaunchLink> Public(const CompetitorLibrary& library, int which, const Problem& problem) {
  const Shape& shape = problem.shape();
  Result<OpenedCompetitor> opened = library.Open(which, {shape.ranks, shape.rows, shape.width, kEpsilon});
  if (!opened) return Err(opened.error());
  auto held = std::make_shared<const OpenedCompetitor>(*std::move(opened));
  return [held, &problem](int rank, int link, Stream stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    return held->Launch(rank, stream, {call.partial, call.residual, call.gamma, call.norm_out, call.residual_out});
  };
}

}  // namespace

std::vector<Method> MakeMethods(const Tools& tools, const Ranks& ranks, const Problem& problem) {
  const BenchKernels& kernels = *tools.kernels;
  const Leaves norm = Leaves::kNormAndResidual;
  std::vector<Method> methods = {
      {"fused", false, norm, Fused(ranks, problem)},
      {"apart", false, norm, PlainAndNorm(ranks, problem, kernels, &BenchKernels::LaunchAddNorm)},
      {"three", false, norm, PlainAndNorm(ranks, problem, kernels, &BenchKernels::LaunchAddThenNorm)},
      {"plain", false, Leaves::kSum, Plain(ranks, problem)},
      {"push_poll", false, Leaves::kNothing, PushPoll(*tools.gpu, kernels, problem.shape().ranks)},
      {"empty", false, Leaves::kNothing, Empty(kernels)},
      {"sharded", false, norm, Sharded(ranks, problem)},
      {"sharded_apart", false, norm, ShardedApart(*tools.gpu, kernels, ranks, problem)},
  };
  for (const CompetitorLibrary& library : *tools.competitors) {
    for (size_t i = 0; i < library.names().size(); ++i) {
      methods.push_back({library.names()[i], true, norm, Public(library, static_cast<int>(i), problem)});
    }
  }
  return methods;
}

}  // namespace jax_oneshot::cuda::bench
