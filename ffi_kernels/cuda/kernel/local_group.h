// SPDX-License-Identifier: Apache-2.0
// For tests: a group of ranks in one process, with a workspace and a stream per rank. Kernels cannot distinguish it
// from a group of several processes.
//
// Ranks are assigned to the devices round-robin; with fewer devices than ranks some share one. Blocks of ranks that
// share a device must be resident at once, because they wait for each other: FitsTogether checks that. Every wait has a
// deadline, so that a bug in a kernel ends in an error here.
#ifndef FFI_KERNELS_CUDA_KERNEL_LOCAL_GROUP_H_
#define FFI_KERNELS_CUDA_KERNEL_LOCAL_GROUP_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/kernel/launch.h"

namespace jax_oneshot::cuda {

// The primary contexts of the first `count` devices, with peer access between all of them. Retained until the process
// ends.
class LocalDevices {
 public:
  // `driver` must outlive it. The first device's context is current afterwards.
  static Result<LocalDevices> Open(const CudaDriver& driver, int count);

  int size() const { return static_cast<int>(contexts_.size()); }
  int OfRank(int rank) const { return rank % size(); }
  int MostRanksOnOne(int ranks) const { return (ranks + size() - 1) / size(); }
  // Makes the device's context current in the calling thread.
  Result<void> Use(int device) const;

 private:
  explicit LocalDevices(const CudaDriver& driver) : driver_(&driver) {}
  Result<void> Reach(int from, int to) const;

  const CudaDriver* driver_;
  std::vector<Device> devices_;
  std::vector<Context> contexts_;
};

// Ok, or an error that says how many blocks each of `ranks` ranks launches and how many a device holds at once.
Result<void> FitsTogether(const LoadedKernel& kernel, int ranks);

// Memory on the current device, freed with the object.
class DeviceMemory {
 public:
  static Result<DeviceMemory> Allocate(const CudaDriver& driver, int64_t bytes);
  DeviceMemory(DeviceMemory&& other) noexcept : driver_(other.driver_), at_(other.at_) { other.at_ = 0; }
  DeviceMemory& operator=(DeviceMemory&&) = delete;
  ~DeviceMemory() {
    if (at_ != 0) driver_->cuMemFree_v2(at_);
  }
  DevicePointer at() const { return at_; }

 private:
  DeviceMemory(const CudaDriver* driver, DevicePointer at) : driver_(driver), at_(at) {}
  const CudaDriver* driver_;
  DevicePointer at_;
};

class LocalGroup {
 public:
  // `driver` and `devices` must outlive the group.
  static Result<std::unique_ptr<LocalGroup>> Make(const CudaDriver& driver, const LocalDevices& devices, int ranks,
                                                  int64_t capacity_bytes);
  LocalGroup(const LocalGroup&) = delete;
  LocalGroup& operator=(const LocalGroup&) = delete;
  ~LocalGroup();

  // Arguments of a call by `rank`, except its buffers.
  KernelArguments Arguments(int rank) const;
  Stream stream(int rank) const { return streams_[static_cast<size_t>(rank)]; }
  int size() const { return static_cast<int>(streams_.size()); }
  // Makes the context of the rank's device current; required before a launch on its stream.
  Result<void> Use(int rank) const { return devices_.Use(devices_.OfRank(rank)); }

  // Waits for all streams. Returns an error if that takes longer than `deadline`, or if a kernel gave up: the missing
  // ranks.
  Result<void> Synchronise(std::chrono::seconds deadline) const;

  // Makes every rank behave as if this many calls had been made.
  Result<void> SetEpoch(uint32_t epoch);

  void set_timeout(std::chrono::nanoseconds timeout) { timeout_ = timeout; }

 private:
  LocalGroup(const CudaDriver& driver, const LocalDevices& devices, WorkspaceLayout layout)
      : driver_(driver), devices_(devices), layout_(layout) {}
  Result<void> AddRank();

  const CudaDriver& driver_;
  const LocalDevices& devices_;
  const WorkspaceLayout layout_;
  std::vector<DeviceMemory> workspaces_;
  std::vector<Stream> streams_;
  ErrorRecord error_record_;
  std::chrono::nanoseconds timeout_ = std::chrono::seconds(5);
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_LOCAL_GROUP_H_
