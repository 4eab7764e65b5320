// SPDX-License-Identifier: Apache-2.0
// Implementation of local_group.h.
#include "ffi_kernels/cuda/local_ranks/local_group.h"

#include <string>

#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {
namespace {

constexpr double kInitialiseDeadlineS = 20;

}  // namespace

Result<KernelOnGpus> LoadOnGpus(const RankGpus& gpus, const std::shared_ptr<const CompiledKernel>& compiled) {
  KernelOnGpus kernel;
  for (size_t i = 0; i < gpus.count(); ++i) {
    if (Result<void> current = gpus.gpu(i).MakeCurrent(); !current) return Err(current.error());
    Result<std::shared_ptr<const LoadedKernel>> loaded = LoadedKernel::Load(gpus.driver(), compiled);
    if (!loaded) return Err(loaded.error());
    kernel.push_back(*std::move(loaded));
  }
  return kernel;
}

Result<std::unique_ptr<LocalGroup>> LocalGroup::Make(std::shared_ptr<const RankGpus> gpus, int ranks,
                                                     int64_t capacity_bytes) {
  std::unique_ptr<LocalGroup> group(new LocalGroup(std::move(gpus), MakeWorkspaceLayout(ranks, capacity_bytes)));
  Result<void> made = group->Use(0);
  if (!made) return Err(made.error());
  const Result<ErrorRecord> record = MakeErrorRecord(group->gpus_->driver());
  if (!record) return Err(record.error());
  group->error_record_ = *record;
  for (int rank = 0; made && rank < ranks; ++rank) made = group->AddRank(rank);
  if (made) made = group->Synchronise(kInitialiseDeadlineS);
  if (!made) return Err(made.error());
  return group;
}

Result<void> LocalGroup::AddRank(int rank) {
  Result<Memory> workspace = gpus_->of(rank).Allocate(static_cast<size_t>(layout_.TotalBytes()));
  if (!workspace) return Err(workspace.error());
  workspaces_.push_back(*std::move(workspace));
  return InitialiseWorkspace(gpus_->driver(), layout_, workspaces_.back().at(), stream(rank));
}

LocalGroup::~LocalGroup() {
  if (error_record_.word == nullptr || !Use(0)) return;
  gpus_->driver().cuMemFreeHost(const_cast<uint64_t*>(error_record_.word));
}

KernelArguments LocalGroup::Arguments(int rank) const {
  KernelArguments arguments;
  arguments.peers.rank = rank;
  arguments.peers.size = size();
  for (size_t r = 0; r < workspaces_.size(); ++r) arguments.peers.workspace[r] = workspaces_[r].at();
  arguments.capacity_bytes = layout_.capacity_bytes;
  arguments.timeout_ns = static_cast<uint64_t>(timeout_.count());
  arguments.error_record = error_record_.on_device;
  return arguments;
}

Result<void> LocalGroup::Synchronise(double deadline_s) const {
  Result<void> waited = gpus_->Wait(deadline_s);
  const std::optional<MissingPeers> missing = Missing();
  if (!missing) return waited;
  std::string ranks;
  for (const int rank : missing->ranks) ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
  return Err("call " + std::to_string(missing->call) + ": gave up waiting for rank " + ranks);
}

Result<void> LocalGroup::SetEpoch(uint32_t epoch) {
  const std::vector<EpochEntry> entries(kEpochEntries, EpochEntry{epoch, 0});
  for (int rank = 0; rank < size(); ++rank) {
    if (Result<void> current = Use(rank); !current) return current;
    ONESHOT_CUDA_RETURN_IF_ERROR(gpus_->driver(), cuMemcpyHtoD_v2(workspaces_[static_cast<size_t>(rank)].at(),
                                                                  entries.data(), entries.size() * sizeof(EpochEntry)));
  }
  return {};
}

}  // namespace jax_oneshot::cuda
