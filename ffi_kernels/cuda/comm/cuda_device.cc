// SPDX-License-Identifier: Apache-2.0
// Implementation of cuda_device.h.
#include "ffi_kernels/cuda/comm/cuda_device.h"

#include <string>

#include "ffi_kernels/cuda/driver/peer_access.h"

namespace jax_oneshot::cuda {

ScopedContext::ScopedContext(const CudaDriver& driver, Context context) : driver_(driver) {
  if (driver_.cuCtxGetCurrent(&previous_) != kSuccess || previous_ == context) return;
  switched_ = driver_.cuCtxSetCurrent(context) == kSuccess;
}

ScopedContext::~ScopedContext() {
  if (switched_) driver_.cuCtxSetCurrent(previous_);
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::Create(const CudaDriver& driver, int ordinal) {
  std::unique_ptr<CudaDevice> device(new CudaDevice(driver, ordinal));
  cuda::Device handle = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGet(&handle, ordinal));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDevicePrimaryCtxRetain(&device->context_, handle));
  const ScopedContext current(driver, device->context_);
  // Non-blocking: XLA must not wait for this stream, nor this stream for XLA's work on the default stream.
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamCreate(&device->stream_, kStreamNonBlocking));
  return device;
}

Result<DeviceIdentity> CudaDevice::Identify() const {
  cuda::Device device = 0;
  char bus_id[32] = {};
  int major = 0, minor = 0, multiprocessors = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGet(&device, ordinal_));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGetPCIBusId(bus_id, sizeof(bus_id) - 1, device));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGetAttribute(&major, kComputeCapabilityMajor, device));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGetAttribute(&minor, kComputeCapabilityMinor, device));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGetAttribute(&multiprocessors, kMultiprocessorCount, device));
  return DeviceIdentity{bus_id, "sm_" + std::to_string(major) + std::to_string(minor) + ", " +
                                    std::to_string(multiprocessors) + " multiprocessors"};
}

Result<DevicePointer> CudaDevice::Allocate(int64_t bytes) {
  const ScopedContext current(driver_, context_);
  DevicePointer address = 0;
  const Result<void> made = driver_.Check("cuMemAlloc", driver_.cuMemAlloc_v2(&address, static_cast<size_t>(bytes)));
  if (made) return address;
  return Err(made.error() +
             ". XLA takes most of the memory in advance; XLA_PYTHON_CLIENT_MEM_FRACTION=0.7 leaves more");
}

void CudaDevice::Free(DevicePointer address) {
  const ScopedContext current(driver_, context_);
  driver_.cuMemFree_v2(address);
}

Result<IpcMemHandle> CudaDevice::Export(DevicePointer address) {
  const ScopedContext current(driver_, context_);
  IpcMemHandle handle = {};
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuIpcGetMemHandle(&handle, address));
  return handle;
}

Result<DevicePointer> CudaDevice::Import(const IpcMemHandle& handle) {
  const ScopedContext current(driver_, context_);
  DevicePointer address = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuIpcOpenMemHandle_v2(&address, handle, kIpcMemLazyEnablePeerAccess));
  return address;
}

Result<void> CudaDevice::EnablePeer(int ordinal) {
  cuda::Device own = 0, peer = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGet(&own, ordinal_));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGet(&peer, ordinal));
  const ScopedContext current(driver_, context_);
  const Result<bool> enabled = EnablePeerAccess(driver_, own, peer);
  if (!enabled) return Err(enabled.error());
  if (!*enabled) return Err("the driver knows no direct path from device " + std::to_string(ordinal_));
  return {};
}

Result<void> CudaDevice::CopyIn(DevicePointer to, const void* from, int64_t bytes) {
  const ScopedContext current(driver_, context_);
  return driver_.Check("cuMemcpyHtoDAsync",
                       driver_.cuMemcpyHtoDAsync_v2(to, from, static_cast<size_t>(bytes), stream_));
}

Result<void> CudaDevice::CopyOut(void* to, DevicePointer from, int64_t bytes) {
  const ScopedContext current(driver_, context_);
  return driver_.Check("cuMemcpyDtoHAsync",
                       driver_.cuMemcpyDtoHAsync_v2(to, from, static_cast<size_t>(bytes), stream_));
}

Result<bool> CudaDevice::Idle() {
  const ScopedContext current(driver_, context_);
  const Status status = driver_.cuStreamQuery(stream_);
  if (status == kErrorNotReady) return false;
  if (Result<void> checked = driver_.Check("cuStreamQuery", status); !checked) return Err(checked.error());
  return true;
}

}  // namespace jax_oneshot::cuda
