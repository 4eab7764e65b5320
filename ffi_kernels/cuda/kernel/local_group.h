// For tests: a group of ranks in one process, with a workspace and a stream per rank. Kernels cannot tell it from a
// group of several processes.
//
// Ranks are dealt out to the devices in turn; with fewer devices than ranks some share one. Their blocks must be
// resident at once, since they wait for one another: FitsTogether says whether they are. Every wait has a deadline, for
// a mistake in a kernel must end in an error here.
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

// The primary contexts of the first `count` devices, each of which reaches the others' memory. They are kept until the
// process ends.
class LocalDevices {
 public:
  // `driver` outlives it. The first device's context is current afterwards.
  static Result<LocalDevices> Open(const CudaDriver& driver, int count);

  int size() const { return static_cast<int>(contexts_.size()); }
  int OfRank(int rank) const { return rank % size(); }
  int MostRanksOnOne(int ranks) const { return (ranks + size() - 1) / size(); }
  // Makes its context current in the calling thread.
  Result<void> Use(int device) const;

 private:
  explicit LocalDevices(const CudaDriver& driver) : driver_(&driver) {}
  Result<void> Reach(int from, int to) const;

  const CudaDriver* driver_;
  std::vector<Device> devices_;
  std::vector<Context> contexts_;
};

// Ok, or how many blocks each of `ranks` ranks launches and how many a device holds at once.
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
  // `driver` and `devices` outlive the group.
  static Result<std::unique_ptr<LocalGroup>> Make(const CudaDriver& driver, const LocalDevices& devices, int ranks,
                                                  int64_t capacity_bytes);
  LocalGroup(const LocalGroup&) = delete;
  LocalGroup& operator=(const LocalGroup&) = delete;
  ~LocalGroup();

  // Arguments of a call by `rank`, but for its buffers. Of one deadline for all.
  KernelArguments Arguments(int rank) const;
  Stream stream(int rank) const { return streams_[static_cast<size_t>(rank)]; }
  int size() const { return static_cast<int>(streams_.size()); }
  // Makes the context of the rank's device current: before anything is launched on its stream.
  Result<void> Use(int rank) const { return devices_.Use(devices_.OfRank(rank)); }

  // Waits for all streams; an error if that takes longer than `deadline`, or says who was missing if a kernel gave up.
  Result<void> Synchronise(std::chrono::seconds deadline) const;

  // Makes every rank believe that so many calls have been made.
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
