// SPDX-License-Identifier: Apache-2.0
// Where the benchmark's ranks run.
#ifndef FFI_KERNELS_CUDA_BENCH_PLACEMENT_H_
#define FFI_KERNELS_CUDA_BENCH_PLACEMENT_H_

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

inline constexpr int kMostRanks = 8;

enum class Placement : uint8_t {
  kOneGpu,   // all ranks on GPU 0
  kGpuEach,  // rank r on GPU r: all GPUs, up to kMostRanks
};

Result<std::unique_ptr<RankGpus>> OpenGpus(const CudaDriver& driver, Placement placement);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_PLACEMENT_H_
