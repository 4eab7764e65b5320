// SPDX-License-Identifier: Apache-2.0
// Machine code of kernels, by row program, extent and device: compiled at most once per process and, with a cache
// folder (disk_cache.h), at most once per machine.
//
// The key is everything that the machine code depends on: source, architecture, options, NVRTC's version.
#ifndef FFI_KERNELS_CUDA_KERNEL_KERNEL_CACHE_H_
#define FFI_KERNELS_CUDA_KERNEL_KERNEL_CACHE_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/kernel/disk_cache.h"
#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

struct CompiledKernel {
  RowProgram program;
  LaunchPlan plan;
  std::string cubin;
  std::string log;  // the compiler's, with registers and spills; empty if read from disk
};

class KernelCache {
 public:
  // If `folder` is empty, only memory is used.
  KernelCache(const Nvrtc& nvrtc, std::string folder) : nvrtc_(nvrtc), disk_(std::move(folder)) {}

  // Thread-safe; two threads that ask for one kernel at the same time may both compile it.
  Result<std::shared_ptr<const CompiledKernel>> Get(const RowProgram& program, int64_t rows, int64_t width,
                                                    int group_size, const DeviceFacts& device,
                                                    Algorithm algorithm = Algorithm::kOneShot);

 private:
  Result<Compilation> CompileOrRead(const std::string& source, const std::string& arch) const;

  const Nvrtc nvrtc_;
  const DiskCache disk_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const CompiledKernel>> kernels_;  // by architecture and source
};

// $XDG_CACHE_HOME/jax-oneshot, else ~/.cache/jax-oneshot, else empty.
std::string DefaultCacheFolder();

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_KERNEL_CACHE_H_
