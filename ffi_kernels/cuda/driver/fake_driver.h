// SPDX-License-Identifier: Apache-2.0
// A fake CudaDriver for tests: GPU memory is host memory, launches are recorded and not run, and every call made while
// another GPU's context is current is recorded as a violation.
#ifndef FFI_KERNELS_CUDA_DRIVER_FAKE_DRIVER_H_
#define FFI_KERNELS_CUDA_DRIVER_FAKE_DRIVER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

struct FakeLaunch {
  int gpu = 0;
  Stream stream = nullptr;
  Function function = nullptr;
  std::string kernel;
  unsigned blocks = 0;
  bool early = false;
  std::vector<uint64_t> arguments;  // those that FakeGpus::recorded_arguments names
};

// The calls that the driver received, and its answers. Used by one test at a time.
struct FakeGpus {
  int current = -1;  // the GPU whose context is current
  std::vector<std::string> violations;

  std::map<uint64_t, int> owners;         // of every live handle and address: its GPU
  std::map<Function, std::string> names;  // of functions
  std::vector<FakeLaunch> launches;       // all captured launches, in order
  std::map<Graph, std::vector<size_t>> graphs;
  int streams_alive = 0, memories_alive = 0, modules_alive = 0, graphs_alive = 0, graphs_launched = 0;
  std::set<std::pair<int, int>> peers;  // (who has access, to whose memory)
  unsigned host_flags = 0;              // of the last cuMemHostAlloc

  std::map<std::string, std::vector<int>> recorded_arguments;  // by kernel: indices of arguments of 64 bits
  int count = 1, multiprocessors = 132, resident_blocks = 16;
  std::vector<std::string> models;  // per GPU; "NVIDIA Fake" for the rest
  Status stream_status = kSuccess, peer_status = kSuccess;
  std::set<std::pair<int, int>> no_access;

  std::vector<std::string> KernelsOn(Stream stream) const;
};

extern FakeGpus fake_gpus;

// Clears the record, and simulates this many GPUs from now on.
CudaDriver FakeDriver(int gpus);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_DRIVER_FAKE_DRIVER_H_
