// In:  a shape. Out: this project's own kernels for it, for all ranks on one device. See one_shot_ranks.h.
#include "ffi_kernels/cuda/bench/one_shot_ranks.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ffi_kernels/cuda/bench/chain.h"
#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr unsigned kRankBits = 8;  // of a call's number

RowProgram ProgramOf(OneShot which, int width) {
  switch (which) {
    case OneShot::kFused:
      return FusedProgram(width);
    case OneShot::kPlain:
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

}  // namespace

Result<std::shared_ptr<const OneShotRanks>> OneShotRanks::Make(const Gpu& gpu, KernelCache& cache, const Shape& shape) {
  std::shared_ptr<OneShotRanks> ranks(new OneShotRanks(gpu.driver()));
  Result<DeviceFacts> facts = ReadDeviceFacts(gpu.driver(), gpu.device());
  if (!facts) return Err(facts.error());
  facts->ranks_on_device = shape.ranks;
  ranks->MakeKernels(gpu, cache, *facts, shape);
  if (Result<void> made = ranks->MakeWorkspaces(gpu, shape.ranks); !made) return Err(made.error());
  return ranks;
}

void OneShotRanks::MakeKernels(const Gpu& gpu, KernelCache& cache, const DeviceFacts& facts, const Shape& shape) {
  for (size_t i = 0; i < kOneShots; ++i) {
    const OneShot which = static_cast<OneShot>(i);
    const int width = which == OneShot::kStatistic ? 1 : shape.width;
    const Result<std::shared_ptr<const CompiledKernel>> compiled =
        cache.Get(ProgramOf(which, width), shape.rows, width, shape.ranks, facts);
    kernels_[i] = compiled ? LoadedKernel::Load(gpu.driver(), *compiled) : Kernel(Err(compiled.error()));
  }
}

Result<void> OneShotRanks::MakeWorkspaces(const Gpu& gpu, int ranks) {
  int64_t message_bytes = 0;
  for (const Kernel& kernel : kernels_) {
    if (kernel) message_bytes = std::max(message_bytes, (*kernel)->plan().message_bytes);
  }
  const WorkspaceLayout layout = MakeWorkspaceLayout(ranks, message_bytes);
  capacity_bytes_ = layout.capacity_bytes;
  for (int rank = 0; rank < ranks; ++rank) {
    Result<Memory> workspace = gpu.Allocate(static_cast<size_t>(layout.TotalBytes()));
    if (!workspace) return Err(workspace.error());
    workspaces_.push_back(*std::move(workspace));
    Result<void> initialised = InitialiseWorkspace(gpu.driver(), layout, workspaces_.back().at(), gpu.stream(rank));
    if (!initialised) return initialised;
  }
  void* record = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemHostAlloc(&record, sizeof(uint64_t), kHostAllocDeviceMap));
  error_record_ = static_cast<uint64_t*>(record);
  *error_record_ = 0;
  return gpu.Wait(kHostDeadlineS);
}

Result<void> OneShotRanks::Launch(OneShot which, Stream stream, int rank, std::vector<DevicePointer> inputs,
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
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemHostGetDevicePointer_v2(&arguments.error_record, error_record_, 0));
  return (*kernel)->Launch(stream, arguments);
}

OneShotRanks::~OneShotRanks() {
  if (error_record_ != nullptr) driver_.cuMemFreeHost(error_record_);
}

std::string OneShotRanks::GaveUp() const {
  const std::optional<MissingPeers> missing = ReadErrorRecord(error_record_);
  if (!missing) return "";
  static constexpr std::array<const char*, kOneShots> kNames = {"fused", "plain", "sharded", "statistic", "gather"};
  std::string text = std::string("; rank ") + std::to_string(missing->call & ((1u << kRankBits) - 1)) + " of the " +
                     kNames.at(missing->call >> kRankBits) + " kernel gave up waiting for ranks";
  for (int rank : missing->ranks) text += " " + std::to_string(rank);
  return text;
}

}  // namespace jax_oneshot::cuda::bench
