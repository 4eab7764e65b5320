// SPDX-License-Identifier: Apache-2.0
// CudaDevice: the CUDA implementation of PeerDevice. ScopedContext: makes that GPU's primary context, which XLA uses
// too, current for a scope.
#ifndef FFI_KERNELS_CUDA_COMM_CUDA_DEVICE_H_
#define FFI_KERNELS_CUDA_COMM_CUDA_DEVICE_H_

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "ffi_kernels/cuda/comm/peer_device.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

// Costs at most three driver calls, none of which blocks: cheap enough for every launch.
class ScopedContext {
 public:
  ScopedContext(const CudaDriver& driver, Context context);
  ScopedContext(const ScopedContext&) = delete;
  ScopedContext& operator=(const ScopedContext&) = delete;
  ~ScopedContext();

 private:
  const CudaDriver& driver_;
  Context previous_ = nullptr;
  bool switched_ = false;
};

// Lives until the process ends: peers may write to its memory until then.
class CudaDevice : public PeerDevice {
 public:
  static Result<std::unique_ptr<CudaDevice>> Create(const CudaDriver& driver, int ordinal);

  Context context() const { return context_; }

  int ordinal() const override { return ordinal_; }
  Result<DeviceIdentity> Identify() const override;
  Result<DevicePointer> Allocate(int64_t bytes) override;
  void Free(DevicePointer address) override;
  Result<IpcMemHandle> Export(DevicePointer address) override;
  Result<DevicePointer> Import(const IpcMemHandle& handle) override;
  Result<void> EnablePeer(int ordinal) override;
  void* stream() override { return stream_; }
  Result<void> CopyIn(DevicePointer to, const void* from, int64_t bytes) override;
  Result<void> CopyOut(void* to, DevicePointer from, int64_t bytes) override;
  Result<bool> Idle() override;

 private:
  CudaDevice(const CudaDriver& driver, int ordinal) : driver_(driver), ordinal_(ordinal) {}

  const CudaDriver& driver_;
  int ordinal_;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_CUDA_DEVICE_H_
