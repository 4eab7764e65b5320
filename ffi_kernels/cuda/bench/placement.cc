// SPDX-License-Identifier: Apache-2.0
// Implementation of placement.h.
#include "ffi_kernels/cuda/bench/placement.h"

#include <algorithm>
#include <string>

namespace jax_oneshot::cuda::bench {

Result<std::unique_ptr<RankGpus>> OpenGpus(const CudaDriver& driver, Placement placement) {
  int count = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetCount(&count));
  if (count == 0) {
    return Err("the kernel benchmark needs an NVIDIA GPU, and the driver offers none; is CUDA_VISIBLE_DEVICES set?");
  }
  if (placement == Placement::kOneGpu) return RankGpus::Open(driver, 1, kMostRanks);
  if (count < 2) {
    return Err("a GPU for each rank takes 2 GPUs or more, and the driver offers " + std::to_string(count) +
               "; name more of them in CUDA_VISIBLE_DEVICES, or measure with --gpus one");
  }
  const int gpus = std::min(count, kMostRanks);
  return RankGpus::Open(driver, gpus, gpus);
}

}  // namespace jax_oneshot::cuda::bench
