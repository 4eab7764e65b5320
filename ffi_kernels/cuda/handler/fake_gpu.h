// SPDX-License-Identifier: Apache-2.0
// For tests: an NVRTC and an NCCL made of small function tables, and a Runtime built on them and the fake driver.
//
// One set per process, because tables hold plain functions; ResetFakeGpu() starts it anew. Device memory is host
// memory. Every communicator has `ranks` ranks, two by default: this one, 0, and peers that send what this one sends.
#ifndef FFI_KERNELS_CUDA_HANDLER_FAKE_GPU_H_
#define FFI_KERNELS_CUDA_HANDLER_FAKE_GPU_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/handler/runtime.h"

namespace jax_oneshot::cuda {

// What a test may change, and what it can inspect afterwards.
struct FakeGpuState {
  int gpus = 2;
  int can_access_peer = 1;
  bool compiles = true;
  std::string nvrtc_missing;  // if not empty: why there is no NVRTC
  int ranks = 2;
  Status query = kSuccess;  // the status of every stream

  int compilations = 0, modules = 0, gathers = 0;
  std::vector<LaunchConfig> launches;
  volatile uint64_t* error_record = nullptr;  // of the GPU that was used last
  std::vector<std::string> log;
};

FakeGpuState& FakeGpu();       // the current state
FakeGpuState& ResetFakeGpu();  // replaces it with a new one

std::unique_ptr<Runtime> MakeFakeRuntime();

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_FAKE_GPU_H_
