// In:  the first GPU of this machine. Out: Gpu: its primary context, streams, memory that frees itself, loaded modules.
//
// The primary context, because libraries that use CUDA's runtime (a competitor's) live there too.
#ifndef FFI_KERNELS_CUDA_BENCH_GPU_H_
#define FFI_KERNELS_CUDA_BENCH_GPU_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ffi_kernels/base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda::bench {

// Device memory, freed with the object.
class Memory {
 public:
  Memory() = default;
  Memory(const CudaDriver* driver, DevicePointer at) : driver_(driver), at_(at) {}
  Memory(Memory&& other) noexcept : driver_(other.driver_), at_(std::exchange(other.at_, 0)) {}
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  DevicePointer at() const { return at_; }

 private:
  const CudaDriver* driver_ = nullptr;
  DevicePointer at_ = 0;
};

class Gpu {
 public:
  // Opens device 0 with `streams` streams. The context stays current in the calling thread.
  static Result<std::unique_ptr<Gpu>> Open(const CudaDriver& driver, int streams);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const CudaDriver& driver() const { return driver_; }
  const std::string& name() const { return name_; }  // "NVIDIA H200"
  const std::string& arch() const { return arch_; }  // "sm_90"
  int multiprocessors() const { return multiprocessors_; }
  Device device() const { return device_; }
  Stream stream(int i) const { return streams_[static_cast<size_t>(i)]; }
  int streams() const { return static_cast<int>(streams_.size()); }

  // Zero-filled.
  Result<Memory> Allocate(size_t bytes) const;
  Result<Memory> Upload(const void* from, size_t bytes) const;
  Result<std::vector<uint16_t>> Download(DevicePointer from, size_t count) const;
  // The module lives as long as the process.
  Result<Module> LoadModule(const std::string& cubin) const;
  Result<Function> FindFunction(Module module, const char* name) const;

  // Waits for all streams. An error, when one of them is busy after `deadline_s`: the GPU then belongs to a kernel that
  // does not end, and only the end of the process frees it.
  Result<void> Wait(double deadline_s) const;

 private:
  explicit Gpu(const CudaDriver& driver) : driver_(driver) {}
  Result<void> ReadFacts();

  CudaDriver driver_;
  Device device_ = 0;
  std::string name_, arch_;
  int multiprocessors_ = 0;
  std::vector<Stream> streams_;
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_GPU_H_
