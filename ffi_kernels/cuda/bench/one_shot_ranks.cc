// SPDX-License-Identifier: Apache-2.0
// Implementation of one_shot_ranks.h.
#include "ffi_kernels/cuda/bench/one_shot_ranks.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/kernel/launch_plan.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr unsigned kRankBits = 8;  // of a call number

RowProgram ProgramOf(OneShot which, int width) {
  switch (which) {
    case OneShot::kFused:
    case OneShot::kFusedByTwo:
      return FusedProgram(width);
    case OneShot::kPlain:
    case OneShot::kPlainByTwo:
      return PlainProgram();
    case OneShot::kSharded:
      return ShardedProgram(width);
    case OneShot::kStatistic:
      return StatisticProgram();
    case OneShot::kGather:
      break;
  }
  return GatherProgram();
}

Algorithm AlgorithmOf(OneShot which) {
  return which == OneShot::kFusedByTwo || which == OneShot::kPlainByTwo ? Algorithm::kTwoShot : Algorithm::kOneShot;
}

}  // namespace

Result<std::shared_ptr<const OneShotRanks>> OneShotRanks::Make(std::shared_ptr<const RankGpus> gpus, KernelCache& cache,
                                                               const Shape& shape, const OneShots& wanted) {
  Result<DeviceFacts> facts = ReadDeviceFacts(gpus->driver(), gpus->of(0).device());  // all GPUs are of one model
  if (!facts) return Err(facts.error());
  facts->ranks_on_device = gpus->ranks_per_gpu(shape.ranks);
  std::shared_ptr<OneShotRanks> ranks(new OneShotRanks(std::move(gpus)));
  ranks->MakeKernels(cache, *facts, shape, wanted);
  if (Result<void> made = ranks->MakeGroup(shape.ranks); !made) return Err(made.error());
  return ranks;
}

void OneShotRanks::MakeKernels(KernelCache& cache, const DeviceFacts& facts, const Shape& shape,
                               const OneShots& wanted) {
  for (size_t i = 0; i < kOneShots; ++i) {
    if (!wanted.test(i)) {
      kernels_[i] = Err("not asked for");
      continue;
    }
    const OneShot which = static_cast<OneShot>(i);
    const int width = which == OneShot::kStatistic ? 1 : shape.width;
    const Result<std::shared_ptr<const CompiledKernel>> compiled =
        cache.Get(ProgramOf(which, width), shape.rows, width, shape.ranks, facts, AlgorithmOf(which));
    kernels_[i] = compiled ? LoadOnGpus(*gpus_, *compiled) : Result<KernelOnGpus>(Err(compiled.error()));
  }
}

Result<void> OneShotRanks::MakeGroup(int ranks) {
  int64_t message_bytes = 0;
  for (const Result<KernelOnGpus>& kernel : kernels_) {
    if (kernel) message_bytes = std::max(message_bytes, kernel->front()->plan().message_bytes);
  }
  Result<std::unique_ptr<LocalGroup>> group = LocalGroup::Make(gpus_, ranks, message_bytes);
  if (!group) return Err(group.error());
  group_ = *std::move(group);
  group_->set_timeout(std::chrono::nanoseconds(kKernelDeadlineNs));
  return {};
}

Result<void> OneShotRanks::Launch(OneShot which, int rank, std::vector<DevicePointer> inputs,
                                  std::vector<DevicePointer> outputs) const {
  const Result<KernelOnGpus>& kernel = kernels_[static_cast<size_t>(which)];
  if (!kernel) return Err(kernel.error());
  KernelArguments arguments = group_->Arguments(rank);
  arguments.inputs = std::move(inputs);
  arguments.outputs = std::move(outputs);
  arguments.call = static_cast<uint32_t>(which) << kRankBits | static_cast<uint32_t>(rank);
  return (*kernel)[gpus_->index(rank)]->Launch(gpus_->stream(rank), arguments);
}

OneShotRanks::~OneShotRanks() {
  for (Result<KernelOnGpus>& kernel : kernels_) {  // a module is unloaded from the current context
    for (size_t i = 0; kernel && i < kernel->size(); ++i) {
      if (gpus_->gpu(i).MakeCurrent()) (*kernel)[i].reset();
    }
  }
}

std::string OneShotRanks::GaveUp() const {
  const std::optional<MissingPeers> missing = group_->Missing();
  if (!missing) return "";
  static constexpr std::array<const char*, kOneShots> kNames = {"fused",  "plain",    "sharded",       "statistic",
                                                                "gather", "two_shot", "two_shot_plain"};
  std::string text = std::string("; rank ") + std::to_string(missing->call & ((1u << kRankBits) - 1)) + " of the " +
                     kNames.at(missing->call >> kRankBits) + " kernel gave up waiting for ranks";
  for (int rank : missing->ranks) text += " " + std::to_string(rank);
  return text;
}

}  // namespace jax_oneshot::cuda::bench
