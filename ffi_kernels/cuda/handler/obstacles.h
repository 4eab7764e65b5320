// Why this machine's GPUs cannot run the calls that the pass would emit; empty if they can, or if there is no GPU here
// and the module is compiled for another machine.
//
// Everything is asked that can be known before the communicator is: the driver, NVRTC, direct access between the GPUs
// of this process, and whether each kernel compiles (which costs nothing extra: the handlers find it compiled).
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
