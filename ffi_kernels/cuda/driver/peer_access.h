// SPDX-License-Identifier: Apache-2.0
// Enables access from one GPU of this process to the memory of another, or says why that is impossible.
#ifndef FFI_KERNELS_CUDA_DRIVER_PEER_ACCESS_H_
#define FFI_KERNELS_CUDA_DRIVER_PEER_ACCESS_H_

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

// `device`'s primary context must be current; `peer`'s is retained until the process ends. Returns false if the driver
// has no direct path between them. Access that is already enabled (usually by XLA) is fine.
Result<bool> EnablePeerAccess(const CudaDriver& driver, Device device, Device peer);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_DRIVER_PEER_ACCESS_H_
