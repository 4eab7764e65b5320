// SPDX-License-Identifier: Apache-2.0
// Why this machine's GPUs cannot run the calls that the pass would emit. Empty if they can, or if this machine has no
// GPU and the module is compiled for another one.
//
// Checks everything that can be known before the communicator exists: the driver, NVRTC, peer access between the GPUs
// of this process, and whether each kernel compiles (at no extra cost: the handlers reuse the compiled kernels).
#ifndef FFI_KERNELS_CUDA_HANDLER_OBSTACLES_H_
#define FFI_KERNELS_CUDA_HANDLER_OBSTACLES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/handler/runtime.h"

namespace jax_oneshot::cuda {

struct PlannedCall {
  std::string program;  // canonical text
  int64_t rows = 0, width = 0, group_size = 0;
  Algorithm algorithm = Algorithm::kOneShot;
};

std::string FindObstacle(const std::vector<PlannedCall>& calls, Runtime* runtime);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_OBSTACLES_H_
