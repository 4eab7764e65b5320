// PeerDevice: what the communicator needs of one GPU. cuda_device.h implements it.
#ifndef FFI_KERNELS_CUDA_COMM_PEER_DEVICE_H_
#define FFI_KERNELS_CUDA_COMM_PEER_DEVICE_H_

#include <cstdint>
#include <string>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

struct DeviceIdentity {
  std::string bus_id;  // equal for two ranks on one GPU of one host
  std::string kind;    // "sm_90, 132 multiprocessors": ranks whose kinds differ would cut their messages differently
};

class PeerDevice {
 public:
  virtual ~PeerDevice() = default;

  virtual int ordinal() const = 0;  // within this process
  virtual Result<DeviceIdentity> Identify() const = 0;

  virtual Result<DevicePointer> Allocate(int64_t bytes) = 0;
  virtual void Free(DevicePointer address) = 0;

  // Memory of this device for other processes of this host, and theirs for us.
  virtual Result<IpcMemHandle> Export(DevicePointer address) = 0;
  virtual Result<DevicePointer> Import(const IpcMemHandle& handle) = 0;
  // Lets kernels of this device write to another device of this process.
  virtual Result<void> EnablePeer(int ordinal) = 0;

  // A stream of our own, and what can be queued on it. Host memory must live until Idle says true.
  virtual void* stream() = 0;
  virtual Result<void> CopyIn(DevicePointer to, const void* from, int64_t bytes) = 0;
  virtual Result<void> CopyOut(void* to, DevicePointer from, int64_t bytes) = 0;
  virtual Result<bool> Idle() = 0;  // whether all that was queued is done
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_PEER_DEVICE_H_
