// SPDX-License-Identifier: Apache-2.0
// Gpu: primary context, streams, owned memory and loaded modules of one GPU.
//
// The primary context, because libraries that use the CUDA runtime (a competitor's, NCCL) use it too. Every method
// makes it current in the calling thread. Call MakeCurrent() before calling the driver directly: with several GPUs
// open, the context of another one may be current.
#ifndef FFI_KERNELS_CUDA_LOCAL_RANKS_GPU_H_
#define FFI_KERNELS_CUDA_LOCAL_RANKS_GPU_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

class Gpu;

// Device memory, freed with the object. The GPU must outlive it.
class Memory {
 public:
  Memory() = default;
  Memory(const Gpu* gpu, DevicePointer at) : gpu_(gpu), at_(at) {}
  Memory(Memory&& other) noexcept : gpu_(other.gpu_), at_(std::exchange(other.at_, 0)) {}
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  DevicePointer at() const { return at_; }

 private:
  const Gpu* gpu_ = nullptr;
  DevicePointer at_ = 0;
};

class Gpu {
 public:
  static Result<std::unique_ptr<Gpu>> Open(const CudaDriver& driver, int ordinal, int streams);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  Result<void> MakeCurrent() const;
  // Lets this GPU's kernels load from and store to the other's memory.
  Result<void> EnableAccessTo(const Gpu& peer) const;

  const CudaDriver& driver() const { return driver_; }
  int ordinal() const { return ordinal_; }
  const std::string& name() const { return name_; }               // "NVIDIA H200"
  const std::string& arch() const { return arch_; }               // "sm_90"
  int compute_capability() const { return compute_capability_; }  // 90
  int multiprocessors() const { return multiprocessors_; }
  Device device() const { return device_; }
  Stream stream(int i) const { return streams_[static_cast<size_t>(i)]; }
  int streams() const { return static_cast<int>(streams_.size()); }

  // Zero-filled when this returns, as seen by every stream and every GPU.
  Result<Memory> Allocate(size_t bytes) const;
  Result<Memory> Upload(const void* from, size_t bytes) const;
  Result<std::vector<uint16_t>> Download(DevicePointer from, size_t count) const;
  Result<void> Read(void* to, DevicePointer from, size_t bytes) const;
  // The module lives until the process ends.
  Result<Module> LoadModule(const std::string& cubin) const;
  Result<Function> FindFunction(Module module, const char* name) const;

  // Waits for all streams. Returns an error if one is still busy after `deadline_s`: then a kernel does not end, and
  // only the end of the process frees the GPU.
  Result<void> Wait(double deadline_s) const;

 private:
  Gpu(const CudaDriver& driver, int ordinal) : driver_(driver), ordinal_(ordinal) {}
  Result<void> ReadFacts();

  CudaDriver driver_;
  int ordinal_;
  Device device_ = 0;
  Context context_ = nullptr;
  std::string name_, arch_;
  int compute_capability_ = 0, multiprocessors_ = 0;
  std::vector<Stream> streams_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_LOCAL_RANKS_GPU_H_
