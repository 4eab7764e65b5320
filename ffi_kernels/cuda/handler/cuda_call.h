// SPDX-License-Identifier: Apache-2.0
// CudaCall: one one-shot call of an executable. Bind does, once per GPU, everything that can be done ahead of time;
// Launch only launches.
//
//   CudaCall call(spec, &Runtime::OfProcess());   // Instantiate
//   call.Bind(ordinal, comm);                     // Initialize: workspace, kernel; collective the first time
//   call.Launch(ordinal, stream, inputs, outputs) // Execute: one launch, the same every time
#ifndef FFI_KERNELS_CUDA_HANDLER_CUDA_CALL_H_
#define FFI_KERNELS_CUDA_HANDLER_CUDA_CALL_H_

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/call_spec.h"
#include "ffi_kernels/cuda/comm/nccl.h"
#include "ffi_kernels/cuda/handler/runtime.h"
#include "ffi_kernels/cuda/kernel/launch.h"

namespace jax_oneshot::cuda {

class CudaCall {
 public:
  static constexpr int kMaxGpus = 64;  // in one process

  CudaCall(CallSpec spec, Runtime* runtime) : spec_(std::move(spec)), runtime_(*runtime) {}
  ~CudaCall();
  CudaCall(const CudaCall&) = delete;
  CudaCall& operator=(const CudaCall&) = delete;

  const CallSpec& spec() const { return spec_; }

  // Compiles for this machine's first GPU, if there is one, so that Bind finds the kernel in the cache. Ignores errors,
  // which Bind reports: a program may be compiled here and run elsewhere.
  void CompileAhead();

  bool IsBound(int ordinal) const;
  Result<void> Bind(int ordinal, NcclComm comm);

  Result<void> Launch(int ordinal, Stream stream, std::vector<DevicePointer> inputs,
                      std::vector<DevicePointer> outputs) const;

 private:
  // The call on one GPU; immutable once made.
  struct Bound {
    RuntimeGpu* gpu = nullptr;
    std::shared_ptr<const Workspace> workspace;
    std::shared_ptr<const LoadedKernel> kernel;
    KernelArguments arguments;  // all except inputs and outputs
  };

  Result<std::shared_ptr<const CompiledKernel>> Compile(const DeviceFacts& facts, int ranks_on_device) const;
  Result<std::unique_ptr<Bound>> MakeBound(int ordinal, NcclComm comm) const;
  Result<void> ShareAndCompile(NcclComm comm, Bound* bound) const;
  KernelArguments MakeArguments(const Bound& bound) const;

  const CallSpec spec_;
  Runtime& runtime_;
  std::array<std::atomic<const Bound*>, kMaxGpus> bound_ = {};  // by ordinal; owned
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_CUDA_CALL_H_
