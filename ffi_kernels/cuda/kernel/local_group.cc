// SPDX-License-Identifier: Apache-2.0
// Implementation of local_group.h.
#include "ffi_kernels/cuda/kernel/local_group.h"

#include <string>
#include <thread>
#include <utility>

#include "ffi_kernels/cuda/driver/peer_access.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {

Result<LocalDevices> LocalDevices::Open(const CudaDriver& driver, int count) {
  LocalDevices local(driver);
  int present = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetCount(&present));
  if (count < 1 || count > present) {
    return Err(std::to_string(count) + " devices were asked for, the driver offers " + std::to_string(present) +
               "; is CUDA_VISIBLE_DEVICES set?");
  }
  for (int i = 0; i < count; ++i) {
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGet(&local.devices_.emplace_back(), i));
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDevicePrimaryCtxRetain(&local.contexts_.emplace_back(), local.devices_[i]));
  }
  for (int from = 0; from < count; ++from) {
    for (int to = 0; to < count; ++to) {
      if (Result<void> reached = local.Reach(from, to); !reached) return Err(reached.error());
    }
  }
  if (Result<void> used = local.Use(0); !used) return Err(used.error());
  return local;
}

Result<void> LocalDevices::Reach(int from, int to) const {
  if (from == to) return {};
  if (Result<void> used = Use(from); !used) return used;
  const Result<bool> enabled = EnablePeerAccess(*driver_, devices_[from], devices_[to]);
  if (!enabled) return Err(enabled.error());
  if (*enabled) return {};
  return Err("device " + std::to_string(from) + " does not reach the memory of device " + std::to_string(to));
}

Result<void> LocalDevices::Use(int device) const {
  ONESHOT_CUDA_RETURN_IF_ERROR(*driver_, cuCtxSetCurrent(contexts_[static_cast<size_t>(device)]));
  return {};
}

Result<void> FitsTogether(const LoadedKernel& kernel, int ranks) {
  const int blocks = kernel.plan().grid();
  if (ranks * blocks <= kernel.resident_blocks()) return {};
  return Err(std::to_string(ranks) + " ranks launch " + std::to_string(blocks) +
             " blocks each on one device, which holds only " + std::to_string(kernel.resident_blocks()) +
             " of them at once: plan with DeviceFacts::ranks_on_device");
}

Result<DeviceMemory> DeviceMemory::Allocate(const CudaDriver& driver, int64_t bytes) {
  DevicePointer at = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemAlloc_v2(&at, static_cast<size_t>(bytes)));
  return DeviceMemory(&driver, at);
}

Result<std::unique_ptr<LocalGroup>> LocalGroup::Make(const CudaDriver& driver, const LocalDevices& devices, int ranks,
                                                     int64_t capacity_bytes) {
  std::unique_ptr<LocalGroup> group(new LocalGroup(driver, devices, MakeWorkspaceLayout(ranks, capacity_bytes)));
  const Result<ErrorRecord> record = MakeErrorRecord(driver);
  if (!record) return Err(record.error());
  group->error_record_ = *record;
  Result<void> made = {};
  for (int rank = 0; made && rank < ranks; ++rank) {
    made = group->Use(rank);
    if (made) made = group->AddRank();
  }
  if (made) made = group->Synchronise(std::chrono::seconds(10));
  if (!made) return Err(made.error());
  return group;
}

Result<void> LocalGroup::AddRank() {
  Stream stream = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuStreamCreate(&stream, kStreamNonBlocking));
  streams_.push_back(stream);
  Result<DeviceMemory> workspace = DeviceMemory::Allocate(driver_, layout_.TotalBytes());
  if (!workspace) return Err(workspace.error());
  workspaces_.push_back(*std::move(workspace));
  return InitialiseWorkspace(driver_, layout_, workspaces_.back().at(), stream);
}

LocalGroup::~LocalGroup() {
  for (const Stream stream : streams_) driver_.cuStreamDestroy_v2(stream);
  if (error_record_.word != nullptr) driver_.cuMemFreeHost(const_cast<uint64_t*>(error_record_.word));
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

Result<void> LocalGroup::Synchronise(std::chrono::seconds deadline) const {
  const auto end = std::chrono::steady_clock::now() + deadline;
  for (const Stream stream : streams_) {
    Status status = driver_.cuStreamQuery(stream);
    while (status == kErrorNotReady && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
      status = driver_.cuStreamQuery(stream);
    }
    if (const auto missing = ReadErrorRecord(error_record_.word)) {
      std::string ranks;
      for (const int rank : missing->ranks) ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
      return Err("call " + std::to_string(missing->call) + ": gave up waiting for rank " + ranks);
    }
    if (status == kErrorNotReady) return Err("the group's kernels are still running at the deadline");
    if (Result<void> checked = driver_.Check("cuStreamQuery(stream)", status); !checked) return checked;
  }
  return {};
}

Result<void> LocalGroup::SetEpoch(uint32_t epoch) {
  const std::vector<EpochEntry> entries(kEpochEntries, EpochEntry{epoch, 0});
  for (const DeviceMemory& workspace : workspaces_) {
    ONESHOT_CUDA_RETURN_IF_ERROR(driver_,
                                 cuMemcpyHtoD_v2(workspace.at(), entries.data(), entries.size() * sizeof(EpochEntry)));
  }
  return {};
}

}  // namespace jax_oneshot::cuda
