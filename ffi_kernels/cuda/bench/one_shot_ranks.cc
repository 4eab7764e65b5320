// SPDX-License-Identifier: Apache-2.0
// Implementation of one_shot_ranks.h.
#include "ffi_kernels/cuda/bench/one_shot_ranks.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

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

Result<std::shared_ptr<const OneShotRanks>> OneShotRanks::Make(const RankGpus& gpus, KernelCache& cache,
                                                               const Shape& shape, const OneShots& wanted) {
  std::shared_ptr<OneShotRanks> ranks(new OneShotRanks(gpus));
  Result<DeviceFacts> facts = ReadDeviceFacts(gpus.driver(), gpus.of(0).device());  // all GPUs are of one model
  if (!facts) return Err(facts.error());
  facts->ranks_on_device = gpus.ranks_per_gpu(shape.ranks);
  ranks->MakeKernels(cache, *facts, shape, wanted);
  if (Result<void> made = ranks->MakeWorkspaces(shape.ranks); !made) return Err(made.error());
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
    kernels_[i] = compiled ? LoadEverywhere(*compiled) : Kernel(Err(compiled.error()));
  }
}

OneShotRanks::Kernel OneShotRanks::LoadEverywhere(const std::shared_ptr<const CompiledKernel>& compiled) const {
  std::vector<std::shared_ptr<const LoadedKernel>> by_gpu;
  for (size_t i = 0; i < gpus_.count(); ++i) {
    if (Result<void> current = gpus_.gpu(i).MakeCurrent(); !current) return Err(current.error());
    Result<std::shared_ptr<const LoadedKernel>> loaded = LoadedKernel::Load(gpus_.driver(), compiled);
    if (!loaded) return Err(loaded.error());
    by_gpu.push_back(*std::move(loaded));
  }
  return by_gpu;
}

Result<void> OneShotRanks::MakeWorkspaces(int ranks) {
  int64_t message_bytes = 0;
  for (const Kernel& kernel : kernels_) {
    if (kernel) message_bytes = std::max(message_bytes, kernel->front()->plan().message_bytes);
  }
  const WorkspaceLayout layout = MakeWorkspaceLayout(ranks, message_bytes);
  capacity_bytes_ = layout.capacity_bytes;
  for (int rank = 0; rank < ranks; ++rank) {
    Result<Memory> workspace = gpus_.of(rank).Allocate(static_cast<size_t>(layout.TotalBytes()));
    if (!workspace) return Err(workspace.error());
    workspaces_.push_back(*std::move(workspace));
    Result<void> initialised = InitialiseWorkspace(gpus_.driver(), layout, workspaces_.back().at(), gpus_.stream(rank));
    if (!initialised) return initialised;
  }
  if (Result<void> current = gpus_.of(0).MakeCurrent(); !current) return current;
  const Result<ErrorRecord> record = MakeErrorRecord(gpus_.driver());
  if (!record) return Err(record.error());
  error_record_ = *record;
  return gpus_.Wait(kHostDeadlineS);
}

Result<void> OneShotRanks::Launch(OneShot which, int rank, std::vector<DevicePointer> inputs,
                                  std::vector<DevicePointer> outputs) const {
  const Kernel& kernel = kernels_[static_cast<size_t>(which)];
  if (!kernel) return Err(kernel.error());
  KernelArguments arguments;
  arguments.peers.rank = rank;
  arguments.peers.size = static_cast<int>(workspaces_.size());
  for (size_t i = 0; i < workspaces_.size(); ++i) arguments.peers.workspace[i] = workspaces_[i].at();
  arguments.capacity_bytes = capacity_bytes_;
  arguments.inputs = std::move(inputs);
  arguments.outputs = std::move(outputs);
  arguments.timeout_ns = kKernelDeadlineNs;
  arguments.call = static_cast<uint32_t>(which) << kRankBits | static_cast<uint32_t>(rank);
  arguments.error_record = error_record_.on_device;
  return (*kernel)[gpus_.index(rank)]->Launch(gpus_.stream(rank), arguments);
}

OneShotRanks::~OneShotRanks() {
  for (Kernel& kernel : kernels_) {  // a module is unloaded from the current context
    for (size_t i = 0; kernel && i < kernel->size(); ++i) {
      if (gpus_.gpu(i).MakeCurrent()) (*kernel)[i].reset();
    }
  }
  if (error_record_.word != nullptr && gpus_.of(0).MakeCurrent()) {
    gpus_.driver().cuMemFreeHost(const_cast<uint64_t*>(error_record_.word));
  }
}

std::string OneShotRanks::GaveUp() const {
  const std::optional<MissingPeers> missing = ReadErrorRecord(error_record_.word);
  if (!missing) return "";
  static constexpr std::array<const char*, kOneShots> kNames = {"fused",  "plain",    "sharded",       "statistic",
                                                                "gather", "two_shot", "two_shot_plain"};
  std::string text = std::string("; rank ") + std::to_string(missing->call & ((1u << kRankBits) - 1)) + " of the " +
                     kNames.at(missing->call >> kRankBits) + " kernel gave up waiting for ranks";
  for (int rank : missing->ranks) text += " " + std::to_string(rank);
  return text;
}

}  // namespace jax_oneshot::cuda::bench
