// SPDX-License-Identifier: Apache-2.0
// Checks that all blocks of launches that wait for each other (one launch per rank) fit on a device at the same time.
//
// A rank that waits for another rank's blocks keeps its own on the device. If the other blocks do not fit beside them,
// no rank ever ends.
#ifndef FFI_KERNELS_CUDA_BENCH_CO_RESIDENCY_H_
#define FFI_KERNELS_CUDA_BENCH_CO_RESIDENCY_H_

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda::bench {

struct KernelLaunch {
  Function function = nullptr;
  unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1}, cluster[3] = {1, 1, 1};
  unsigned shared_bytes = 0;
};

// The kernels of a captured graph, in no particular order.
Result<std::vector<KernelLaunch>> LaunchesOf(const CudaDriver& driver, Graph graph);

// How many of the launch's blocks the whole device holds at once.
Result<int64_t> BlocksThatFit(const CudaDriver& driver, const KernelLaunch& launch, int multiprocessors);

int64_t Blocks(const KernelLaunch& launch);

struct Demand {
  int64_t blocks;  // of one rank's launch
  int64_t fit;     // on the device, if nothing else runs
};

// `demands`: the largest launch of each rank. The error says by how much they exceed the device.
Result<void> CheckCoResidency(const std::vector<Demand>& demands);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_CO_RESIDENCY_H_
