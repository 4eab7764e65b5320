// SPDX-License-Identifier: Apache-2.0
// Implementation of gpu.h.
#include "ffi_kernels/cuda/local_ranks/gpu.h"

#include <array>
#include <chrono>
#include <thread>

#include "ffi_kernels/cuda/driver/peer_access.h"

namespace jax_oneshot::cuda {
namespace {

Result<int> Attribute(const CudaDriver& driver, DeviceAttribute which, Device device) {
  int value = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetAttribute(&value, which, device));
  return value;
}

}  // namespace

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(gpu_, other.gpu_);
  std::swap(at_, other.at_);
  return *this;
}

Memory::~Memory() {
  if (at_ == 0 || !gpu_->MakeCurrent()) return;
  gpu_->driver().cuMemFree_v2(at_);  // a failure here cannot be handled
}

Result<std::unique_ptr<Gpu>> Gpu::Open(const CudaDriver& driver, int ordinal, int streams) {
  std::unique_ptr<Gpu> gpu(new Gpu(driver, ordinal));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGet(&gpu->device_, ordinal));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDevicePrimaryCtxRetain(&gpu->context_, gpu->device_));
  if (Result<void> current = gpu->MakeCurrent(); !current) return Err(current.error());
  if (Result<void> read = gpu->ReadFacts(); !read) return Err(read.error());
  for (int i = 0; i < streams; ++i) {
    Stream stream = nullptr;
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamCreate(&stream, kStreamNonBlocking));
    gpu->streams_.push_back(stream);
  }
  return gpu;
}

Gpu::~Gpu() {
  if (context_ == nullptr) return;
  if (MakeCurrent()) {
    for (Stream stream : streams_) driver_.cuStreamDestroy_v2(stream);
  }
  driver_.cuDevicePrimaryCtxRelease_v2(device_);
}

Result<void> Gpu::MakeCurrent() const {
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuCtxSetCurrent(context_));
  return {};
}

Result<void> Gpu::EnableAccessTo(const Gpu& peer) const {
  if (Result<void> current = MakeCurrent(); !current) return current;
  const Result<bool> enabled = EnablePeerAccess(driver_, device_, peer.device_);
  if (!enabled) return Err(enabled.error());
  if (!*enabled) {
    return Err("GPU " + std::to_string(ordinal_) + " (" + name_ + ") has no access to the memory of GPU " +
               std::to_string(peer.ordinal_) + " (" + peer.name_ +
               "), and each rank's kernel stores into the other ranks' memory; choose GPUs that NVLink connects "
               "(`nvidia-smi topo -m` shows them) with CUDA_VISIBLE_DEVICES");
  }
  return {};
}

Result<void> Gpu::ReadFacts() {
  std::array<char, 256> name = {};
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGetName(name.data(), static_cast<int>(name.size()), device_));
  name_ = name.data();
  const Result<int> major = Attribute(driver_, kComputeCapabilityMajor, device_);
  if (!major) return Err(major.error());
  const Result<int> minor = Attribute(driver_, kComputeCapabilityMinor, device_);
  if (!minor) return Err(minor.error());
  compute_capability_ = 10 * *major + *minor;
  arch_ = "sm_" + std::to_string(compute_capability_);
  const Result<int> multiprocessors = Attribute(driver_, kMultiprocessorCount, device_);
  if (!multiprocessors) return Err(multiprocessors.error());
  multiprocessors_ = *multiprocessors;
  return {};
}

Result<Memory> Gpu::Allocate(size_t bytes) const {
  if (Result<void> current = MakeCurrent(); !current) return Err(current.error());
  DevicePointer at = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemAlloc_v2(&at, bytes));
  Memory memory(this, at);
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemsetD8_v2(at, 0, bytes));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuCtxSynchronize());  // our streams do not wait for the stream of the memset
  return memory;
}

Result<Memory> Gpu::Upload(const void* from, size_t bytes) const {
  Result<Memory> memory = Allocate(bytes);
  if (!memory) return memory;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemcpyHtoD_v2(memory->at(), from, bytes));
  return memory;
}

Result<std::vector<uint16_t>> Gpu::Download(DevicePointer from, size_t count) const {
  std::vector<uint16_t> values(count);
  if (Result<void> read = Read(values.data(), from, count * sizeof(uint16_t)); !read) return Err(read.error());
  return values;
}

Result<void> Gpu::Read(void* to, DevicePointer from, size_t bytes) const {
  if (Result<void> current = MakeCurrent(); !current) return current;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuMemcpyDtoH_v2(to, from, bytes));
  return {};
}

Result<Module> Gpu::LoadModule(const std::string& cubin) const {
  if (Result<void> current = MakeCurrent(); !current) return Err(current.error());
  Module module = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuModuleLoadData(&module, cubin.data()));
  return module;
}

Result<Function> Gpu::FindFunction(Module module, const char* name) const {
  if (Result<void> current = MakeCurrent(); !current) return Err(current.error());
  Function function = nullptr;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuModuleGetFunction(&function, module, name));
  return function;
}

Result<void> Gpu::Wait(double deadline_s) const {
  if (Result<void> current = MakeCurrent(); !current) return current;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(deadline_s);
  for (Stream stream : streams_) {
    Status status = driver_.cuStreamQuery(stream);
    while (status == kErrorNotReady && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
      status = driver_.cuStreamQuery(stream);
    }
    if (status == kErrorNotReady) {
      return Err("GPU " + std::to_string(ordinal_) + " was still busy after " +
                 std::to_string(static_cast<int>(deadline_s)) +
                 " s: a kernel waits for a rank that does not come, or all ranks' blocks do not fit on it at once");
    }
    if (Result<void> done = driver_.Check("cuStreamQuery", status); !done) return done;
  }
  return {};
}

}  // namespace jax_oneshot::cuda
