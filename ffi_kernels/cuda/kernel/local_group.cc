// In:  one device and a number of ranks. Out: a group of that many ranks on it. See local_group.h.
#include "ffi_kernels/cuda/kernel/local_group.h"

#include <string>
#include <thread>
#include <utility>

#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {

Result<Device> UseFirstDevice(const CudaDriver& driver) {
  Device device = 0;
  Context context = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGet(&device, 0));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDevicePrimaryCtxRetain(&context, device));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuCtxSetCurrent(context));
  return device;
}

Result<void> FitsTogether(const LoadedKernel& kernel, int ranks) {
  const int blocks = kernel.plan().grid();
  if (ranks * blocks <= kernel.resident_blocks()) return {};
  return Err(std::to_string(ranks) + " ranks launch " + std::to_string(blocks) +
             " blocks each, but the device holds only " + std::to_string(kernel.resident_blocks()) +
             " of them at once: plan with DeviceFacts::ranks_on_device");
}

Result<DeviceMemory> DeviceMemory::Allocate(const CudaDriver& driver, int64_t bytes) {
  DevicePointer at = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemAlloc_v2(&at, static_cast<size_t>(bytes)));
  return DeviceMemory(&driver, at);
}

Result<std::unique_ptr<LocalGroup>> LocalGroup::Make(const CudaDriver& driver, int ranks, int64_t capacity_bytes) {
  std::unique_ptr<LocalGroup> group(new LocalGroup(driver, MakeWorkspaceLayout(ranks, capacity_bytes)));
  Result<void> made = group->MakeErrorRecord();
  for (int rank = 0; made && rank < ranks; ++rank) made = group->AddRank();
  if (made) made = group->Synchronise(std::chrono::seconds(10));
  if (!made) return Err(made.error());
  return group;
}

Result<void> LocalGroup::MakeErrorRecord() {
  void* record = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemHostAlloc(&record, sizeof(uint64_t), kHostAllocDeviceMap));
  error_record_ = static_cast<uint64_t*>(record);
  *error_record_ = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemHostGetDevicePointer_v2(&error_record_on_device_, record, 0));
  return {};
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
  if (error_record_ != nullptr) driver_.cuMemFreeHost(error_record_);
}

KernelArguments LocalGroup::Arguments(int rank) const {
  KernelArguments arguments;
  arguments.peers.rank = rank;
  arguments.peers.size = size();
  for (size_t r = 0; r < workspaces_.size(); ++r) arguments.peers.workspace[r] = workspaces_[r].at();
  arguments.capacity_bytes = layout_.capacity_bytes;
  arguments.timeout_ns = static_cast<uint64_t>(timeout_.count());
  arguments.error_record = error_record_on_device_;
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
    if (const auto missing = ReadErrorRecord(error_record_)) {
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
