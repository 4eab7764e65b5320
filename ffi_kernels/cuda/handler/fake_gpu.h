// For tests: a driver, an NVRTC and an NCCL that are small tables of functions, and a Runtime built on them.
//
// There is one set of them per process, since tables hold plain functions; FakeGpu() starts it anew. Device memory is
// the host's. Every communicator has two ranks: this one, 0, and a peer that sends what this one sends.
#ifndef FFI_KERNELS_CUDA_HANDLER_FAKE_GPU_H_
#define FFI_KERNELS_CUDA_HANDLER_FAKE_GPU_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/handler/runtime.h"

namespace jax_oneshot::cuda {

// What a test may change, and what it can look at afterwards.
struct FakeGpuState {
  int gpus = 2;
  int can_access_peer = 1;
  bool compiles = true;
  std::string nvrtc_missing;  // not empty: why there is none
  int ranks = 2;
  Status query = kSuccess;  // what a stream says it is

  int compilations = 0, modules = 0, gathers = 0;
  std::vector<LaunchConfig> launches;
  volatile uint64_t* error_record = nullptr;  // of the GPU that was used last
  std::vector<std::string> log;
};

FakeGpuState& FakeGpu();       // the state as it is
FakeGpuState& ResetFakeGpu();  // a new one

std::unique_ptr<Runtime> MakeFakeRuntime();

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_FAKE_GPU_H_
