// SPDX-License-Identifier: Apache-2.0
// LocalGroup: what a group of ranks in one process shares: a workspace per rank, and one error record.
#ifndef FFI_KERNELS_CUDA_LOCAL_RANKS_LOCAL_GROUP_H_
#define FFI_KERNELS_CUDA_LOCAL_RANKS_LOCAL_GROUP_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/kernel/launch.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda {

// A kernel, loaded on every GPU, by RankGpus::index.
using KernelOnGpus = std::vector<std::shared_ptr<const LoadedKernel>>;
Result<KernelOnGpus> LoadOnGpus(const RankGpus& gpus, const std::shared_ptr<const CompiledKernel>& compiled);

class LocalGroup {
 public:
  // Workspaces are initialised when this returns. The group keeps the GPUs open.
  static Result<std::unique_ptr<LocalGroup>> Make(std::shared_ptr<const RankGpus> gpus, int ranks,
                                                  int64_t capacity_bytes);
  LocalGroup(const LocalGroup&) = delete;
  LocalGroup& operator=(const LocalGroup&) = delete;
  ~LocalGroup();

  // Arguments of a call by `rank`, except its buffers.
  KernelArguments Arguments(int rank) const;
  Stream stream(int rank) const { return gpus_->stream(rank); }
  int size() const { return static_cast<int>(workspaces_.size()); }
  // Makes the context of the rank's GPU current; required before a launch on its stream.
  Result<void> Use(int rank) const { return gpus_->of(rank).MakeCurrent(); }

  // Waits for all streams of the GPUs. Returns an error if that takes longer than `deadline_s`, or if a kernel gave up:
  // the missing ranks.
  Result<void> Synchronise(double deadline_s) const;
  // The call that gave up, and the ranks it waited for.
  std::optional<MissingPeers> Missing() const { return ReadErrorRecord(error_record_.word); }

  // Makes every rank behave as if this many calls had been made.
  Result<void> SetEpoch(uint32_t epoch);

  void set_timeout(std::chrono::nanoseconds timeout) { timeout_ = timeout; }

 private:
  LocalGroup(std::shared_ptr<const RankGpus> gpus, WorkspaceLayout layout) : gpus_(std::move(gpus)), layout_(layout) {}
  Result<void> AddRank(int rank);

  const std::shared_ptr<const RankGpus> gpus_;
  const WorkspaceLayout layout_;
  std::vector<Memory> workspaces_;  // per rank, on its GPU
  ErrorRecord error_record_;        // one for all ranks: kernels of every context can write it
  std::chrono::nanoseconds timeout_ = std::chrono::seconds(5);
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_LOCAL_RANKS_LOCAL_GROUP_H_
