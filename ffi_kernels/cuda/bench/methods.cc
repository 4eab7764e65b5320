// SPDX-License-Identifier: Apache-2.0
// Implementation of methods.h.
#include "ffi_kernels/cuda/bench/methods.h"

#include <map>
#include <utility>

#include "ffi_kernels/cuda/bench/norm_after.h"
#include "ffi_kernels/cuda/bench/sharded_methods.h"

namespace jax_oneshot::cuda::bench {
namespace {

using Ranks = std::shared_ptr<const OneShotRanks>;

Result<LaunchOnRank> Fused(const Ranks& ranks, const Problem& problem, OneShot which = OneShot::kFused) {
  return [ranks, &problem, which](int rank, int link, Stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    return ranks->Launch(which, rank, {call.partial, call.residual, call.gamma}, {call.norm_out, call.residual_out});
  };
}

Result<LaunchOnRank> Plain(const Ranks& ranks, const Problem& problem, OneShot which = OneShot::kPlain) {
  return [ranks, &problem, which](int rank, int link, Stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kSum);
    return ranks->Launch(which, rank, {call.partial}, {call.sum_out});
  };
}

Result<LaunchOnRank> PlainAndNorm(const Ranks& ranks, const Problem& problem, const RankKernels& kernels,
                                  NormLaunch norm) {
  if (Result<void> width = CheckWidth(problem.shape().width); !width) return Err(width.error());
  return [ranks, &problem, &kernels, norm](int rank, int link, Stream stream) -> Result<void> {
    const NormCall call = NormOf(problem, rank, link);
    const DevicePointer partial = problem.Call(rank, link, Leaves::kNormAndResidual).partial;
    Result<void> summed = ranks->Launch(OneShot::kPlain, rank, {partial}, {call.sum});
    return summed ? norm(kernels.of(rank), stream, call) : summed;
  };
}

Result<LaunchOnRank> Empty(const RankKernels& kernels, Start start) {
  return [&kernels, start](int rank, int, Stream stream) { return kernels.of(rank).LaunchEmpty(stream, start); };
}

Result<LaunchOnRank> PushPollOf(const RankGpus& gpus, const RankKernels& kernels, int ranks, Start start) {
  constexpr size_t kMailboxBytes = 2 * kMaxRanks * 16;
  struct State {
    std::vector<Memory> mailboxes, calls;  // per rank, on its GPU
    Mailboxes addresses;
  };
  auto state = std::make_shared<State>();
  for (int rank = 0; rank < ranks; ++rank) {
    Result<Memory> mailbox = gpus.of(rank).Allocate(kMailboxBytes), calls = gpus.of(rank).Allocate(sizeof(uint32_t));
    if (!mailbox) return Err(mailbox.error());
    if (!calls) return Err(calls.error());
    state->addresses.of.at(static_cast<size_t>(rank)) = mailbox->at();
    state->mailboxes.push_back(*std::move(mailbox));
    state->calls.push_back(*std::move(calls));
  }
  return [state, &kernels, ranks, start](int rank, int, Stream stream) {
    const DevicePointer calls = state->calls[static_cast<size_t>(rank)].at();
    return kernels.of(rank).LaunchPushPoll(stream, {state->addresses, rank, ranks, calls, kKernelDeadlineNs}, start);
  };
}

// A method that launches kernels early, if the GPUs support that.
Result<LaunchOnRank> Early(const RankKernels& kernels, const Result<LaunchOnRank>& method) {
  Result<void> possible = kernels.of(0).CheckStart(Start::kEarly);
  return possible ? method : Err(possible.error());
}

Result<LaunchOnRank> Public(const CompetitorLibrary& library, int which, const Problem& problem) {
  const Shape& shape = problem.shape();
  Result<OpenedCompetitor> opened = library.Open(which, {shape.ranks, shape.rows, shape.width, kEpsilon});
  if (!opened) return Err(opened.error());
  auto held = std::make_shared<const OpenedCompetitor>(*std::move(opened));
  return [held, &problem](int rank, int link, Stream stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    return held->Launch(rank, stream, {call.partial, call.residual, call.gamma, call.norm_out, call.residual_out});
  };
}

class Methods {
 public:
  Methods(const Tools& tools, Ranks ranks, const Problem& problem)
      : tools_(tools), ranks_(std::move(ranks)), problem_(problem) {}

  std::vector<Method> All() {
    AddOneShots();
    AddFloor();
    if (!OnOneGpu()) AddNccl();
    AddPublic();
    return std::move(methods_);
  }

 private:
  bool IsWanted(const std::string& name) const {
    return tools_.wanted == nullptr || tools_.wanted->empty() || tools_.wanted->count(name) > 0;
  }

  bool OnOneGpu() const { return tools_.gpus->count() == 1; }

  void Add(std::string name, Origin origin, Leaves leaves, const Result<LaunchOnRank>& launch) {
    methods_.push_back({std::move(name), origin, leaves,
                        launch ? Result<LaunchLink>(OnEveryRank(*tools_.gpus, problem_.shape().ranks, *launch))
                               : Result<LaunchLink>(Err(launch.error()))});
  }
  void AddOurs(const char* name, Leaves leaves, const Result<LaunchOnRank>& launch) {
    if (IsWanted(name)) Add(name, Origin::kOurs, leaves, launch);
  }

  void AddOneShots() {
    const RankKernels& kernels = *tools_.kernels;
    AddOurs("fused", kNorm, Fused(ranks_, problem_));
    AddOurs("two_kernels", kNorm, PlainAndNorm(ranks_, problem_, kernels, OneNorm));
    AddOurs("two_kernels_pdl", kNorm, Early(kernels, PlainAndNorm(ranks_, problem_, kernels, OneEarlyNorm)));
    AddOurs("three_kernels", kNorm, PlainAndNorm(ranks_, problem_, kernels, TwoNorms));
    AddOurs("plain", Leaves::kSum, Plain(ranks_, problem_));
    AddOurs("two_shot", kNorm, Fused(ranks_, problem_, OneShot::kFusedByTwo));
    AddOurs("two_shot_plain", Leaves::kSum, Plain(ranks_, problem_, OneShot::kPlainByTwo));
    AddOurs("sharded", kNorm, Sharded(ranks_, problem_));
    AddOurs("sharded_collectives", kNorm, ShardedCollectives(*tools_.gpus, kernels, ranks_, problem_));
  }

  void AddFloor() {
    const RankKernels& kernels = *tools_.kernels;
    const int ranks = problem_.shape().ranks;
    AddOurs("push_poll", Leaves::kNothing, PushPollOf(*tools_.gpus, kernels, ranks, Start::kInOrder));
    AddOurs("push_poll_pdl", Leaves::kNothing, Early(kernels, PushPollOf(*tools_.gpus, kernels, ranks, Start::kEarly)));
    AddOurs("empty", Leaves::kNothing, Empty(kernels, Start::kInOrder));
    AddOurs("empty_pdl", Leaves::kNothing, Early(kernels, Empty(kernels, Start::kEarly)));
  }

  void AddNccl() {
    const auto and_norm = [&](NormLaunch norm) {
      return NcclAndNorm(tools_.nccl, *tools_.gpus, *tools_.kernels, problem_, norm);
    };
    const auto add = [&](const char* name, Leaves leaves, const Result<LaunchLink>& launch) {
      if (IsWanted(name)) methods_.push_back({name, Origin::kNccl, leaves, launch});
    };
    add("nccl", Leaves::kSum, Nccl(tools_.nccl, problem_));
    add("nccl_two_kernels", kNorm, and_norm(OneNorm));
    add("nccl_three_kernels", kNorm, and_norm(TwoNorms));
  }

  void AddPublic() {
    for (const CompetitorLibrary& library : *tools_.competitors) {
      for (size_t i = 0; i < library.names().size(); ++i) {
        Add(library.names()[i], Origin::kPublic, kNorm, Public(library, static_cast<int>(i), problem_));
      }
    }
  }

  static constexpr Leaves kNorm = Leaves::kNormAndResidual;

  const Tools& tools_;
  const Ranks ranks_;
  const Problem& problem_;
  std::vector<Method> methods_;
};

}  // namespace

OneShots OneShotsOf(const std::set<std::string>& wanted) {
  static const std::map<std::string, std::vector<OneShot>> kLaunched = {
      {"fused", {OneShot::kFused}},
      {"two_kernels", {OneShot::kPlain}},
      {"two_kernels_pdl", {OneShot::kPlain}},
      {"three_kernels", {OneShot::kPlain}},
      {"plain", {OneShot::kPlain}},
      {"two_shot", {OneShot::kFusedByTwo}},
      {"two_shot_plain", {OneShot::kPlainByTwo}},
      {"sharded", {OneShot::kSharded}},
      {"sharded_collectives", {OneShot::kPlain, OneShot::kStatistic, OneShot::kGather}},
  };
  if (wanted.empty()) return OneShots().set();
  OneShots of;
  for (const std::string& name : wanted) {
    const auto found = kLaunched.find(name);
    if (found == kLaunched.end()) continue;
    for (const OneShot which : found->second) of.set(static_cast<size_t>(which));
  }
  return of;
}

std::vector<Method> MakeMethods(const Tools& tools, const Ranks& ranks, const Problem& problem) {
  return Methods(tools, ranks, problem).All();
}

}  // namespace jax_oneshot::cuda::bench
