// SPDX-License-Identifier: Apache-2.0
// Runtime: the state that all calls of all executables share: driver, NVRTC, NCCL, compiled and loaded kernels, one
// device object per GPU, one workspace per communicator, the failure watch.
//
// It is a cache: executables cannot disturb each other through it (workspaces.h says why sharing those is safe).
// Nothing in it is freed before the process ends.
#ifndef FFI_KERNELS_CUDA_HANDLER_RUNTIME_H_
#define FFI_KERNELS_CUDA_HANDLER_RUNTIME_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "ffi_kernels/cuda/comm/cuda_device.h"
#include "ffi_kernels/cuda/comm/nccl.h"
#include "ffi_kernels/cuda/comm/workspaces.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/handler/failure_watch.h"
#include "ffi_kernels/cuda/kernel/kernel_cache.h"
#include "ffi_kernels/cuda/kernel/launch.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

// Where the runtime gets its parts; tests substitute function tables.
struct RuntimeParts {
  std::function<const Result<CudaDriver>&()> driver;
  std::function<const Result<Nvrtc>&()> nvrtc;
  std::function<Result<NcclApi>()> nccl;
  std::string cache_folder;  // for compiled kernels; empty: memory only
  FailureWatch::Log log;
};

// One GPU of this process.
struct RuntimeGpu {
  std::unique_ptr<CudaDevice> device;
  DeviceFacts facts;
  DevicePointer error_record = 0;  // device address of the word that FailureWatch polls

  // A lock of its own: loading may wait for the device, which may wait for a rank that another thread of this process
  // runs.
  std::mutex loading;
  std::map<const CompiledKernel*, std::shared_ptr<const LoadedKernel>> loaded;
};

class Runtime {
 public:
  explicit Runtime(RuntimeParts parts) : parts_(std::move(parts)), failures_(parts_.log) {}

  static Runtime& OfProcess();

  // False if GPU programs can only be compiled: no driver, or no GPU.
  bool HasGpu();
  // Only if HasGpu().
  const CudaDriver& driver() { return *parts_.driver(); }
  // What the compiler needs to know about the first GPU. Does not touch that GPU: this process may not run on it, and
  // creating a context there would take memory from its user.
  Result<DeviceFacts> FirstGpuFacts();
  // A GPU that this process runs on.
  Result<RuntimeGpu*> FindGpu(int ordinal);

  // For a GPU shared by `ranks_on_device` ranks of the group.
  Result<std::shared_ptr<const CompiledKernel>> Compile(const RowProgram& program, int64_t rows, int64_t width,
                                                        int group_size, const DeviceFacts& facts, int ranks_on_device,
                                                        Algorithm algorithm);
  Result<std::shared_ptr<const LoadedKernel>> Load(RuntimeGpu* gpu, std::shared_ptr<const CompiledKernel> compiled);

  // Collective. A workspace for messages of `message_bytes` of the communicator that XLA returned.
  Result<std::shared_ptr<const Workspace>> Share(RuntimeGpu* gpu, NcclComm comm, int64_t message_bytes,
                                                 std::chrono::milliseconds timeout);

  FailureWatch& failures() { return failures_; }

 private:
  Result<std::unique_ptr<RuntimeGpu>> MakeGpu(int ordinal);
  Result<KernelCache*> Kernels();
  Result<const NcclApi*> Nccl();
  Result<Communicator*> CommunicatorFor(RuntimeGpu* gpu, NcclComm comm, std::chrono::milliseconds timeout);
  Result<PeerMemory> MakeWorkspace(RuntimeGpu* gpu, NcclComm comm, int64_t capacity, std::chrono::milliseconds timeout);

  const RuntimeParts parts_;
  FailureWatch failures_;
  Workspaces workspaces_;

  std::mutex mutex_;  // guards everything below; never held while ranks wait for each other
  std::map<int, std::unique_ptr<RuntimeGpu>> gpus_;
  std::unique_ptr<KernelCache> kernels_;
  std::optional<NcclApi> nccl_;
  std::map<NcclComm, std::unique_ptr<Communicator>> communicators_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_RUNTIME_H_
