// SPDX-License-Identifier: Apache-2.0
// PeerDevice: the operations that the communicator needs from one GPU. cuda_device.h implements it.
#ifndef FFI_KERNELS_CUDA_COMM_PEER_DEVICE_H_
#define FFI_KERNELS_CUDA_COMM_PEER_DEVICE_H_

#include <cstdint>
#include <string>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

struct DeviceIdentity {
  std::string bus_id;  // equal for two ranks on the same GPU of the same host
  std::string kind;    // "sm_90, 132 multiprocessors": ranks must agree on it, or their launch plans would differ
};

class PeerDevice {
 public:
  virtual ~PeerDevice() = default;

  virtual int ordinal() const = 0;  // within this process
  virtual Result<DeviceIdentity> Identify() const = 0;

  virtual Result<DevicePointer> Allocate(int64_t bytes) = 0;
  virtual void Free(DevicePointer address) = 0;

  // Exports memory of this device to other processes of this host, and maps theirs.
  virtual Result<IpcMemHandle> Export(DevicePointer address) = 0;
  virtual Result<DevicePointer> Import(const IpcMemHandle& handle) = 0;
  // Lets kernels of this device write to another device of this process.
  virtual Result<void> EnablePeer(int ordinal) = 0;

  // A stream of our own, and copies on it. Host memory must stay valid until Idle returns true.
  virtual void* stream() = 0;
  virtual Result<void> CopyIn(DevicePointer to, const void* from, int64_t bytes) = 0;
  virtual Result<void> CopyOut(void* to, DevicePointer from, int64_t bytes) = 0;
  virtual Result<bool> Idle() = 0;  // whether all queued work is done
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_PEER_DEVICE_H_
