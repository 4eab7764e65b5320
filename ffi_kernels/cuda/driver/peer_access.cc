// SPDX-License-Identifier: Apache-2.0
#include "ffi_kernels/cuda/driver/peer_access.h"

namespace jax_oneshot::cuda {
namespace {

constexpr Status kErrorPeerAccessAlreadyEnabled = 704;  // CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED

}  // namespace

Result<bool> EnablePeerAccess(const CudaDriver& driver, Device device, Device peer) {
  int can = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceCanAccessPeer(&can, device, peer));
  if (can == 0) return false;
  Context peer_context = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDevicePrimaryCtxRetain(&peer_context, peer));
  const Status status = driver.cuCtxEnablePeerAccess(peer_context, 0);
  if (status == kErrorPeerAccessAlreadyEnabled) return true;
  if (Result<void> enabled = driver.Check("cuCtxEnablePeerAccess", status); !enabled) return Err(enabled.error());
  return true;
}

}  // namespace jax_oneshot::cuda
