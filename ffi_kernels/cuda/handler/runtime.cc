// SPDX-License-Identifier: Apache-2.0
// Implementation of runtime.h.
#include "ffi_kernels/cuda/handler/runtime.h"

#include <iostream>
#include <thread>

#include "ffi_kernels/cuda/comm/nccl_communicator.h"
#include "ffi_kernels/cuda/comm/peer_memory.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {
namespace {

void LogToStderr(const std::string& message) { std::cerr << "jax_oneshot: error: " + message + "\n" << std::flush; }

Result<void> WaitUntilIdle(PeerDevice* device, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const Result<bool> idle = device->Idle();
    if (!idle) return Err(idle.error());
    if (*idle) return {};
    if (std::chrono::steady_clock::now() > deadline) {
      return Err("device " + std::to_string(device->ordinal()) + " did not clear a workspace within " +
                 std::to_string(timeout.count()) + " ms: is something else keeping it busy?");
    }
    std::this_thread::yield();
  }
}

}  // namespace

Runtime& Runtime::OfProcess() {
  // Created after the driver is initialised, so it is destroyed, with its thread, before the driver shuts down.
  static Runtime runtime([] {
    (void)LoadCudaDriver();
    return RuntimeParts{LoadCudaDriver, LoadNvrtc, [] { return BindNccl(LoadedNccls()); }, DefaultCacheFolder(),
                        LogToStderr};
  }());
  return runtime;
}

bool Runtime::HasGpu() {
  const Result<CudaDriver>& driver = parts_.driver();
  int count = 0;
  return driver && driver->cuDeviceGetCount(&count) == kSuccess && count > 0;
}

Result<DeviceFacts> Runtime::FirstGpuFacts() {
  if (!parts_.driver()) return Err(parts_.driver().error());
  Device device = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver(), cuDeviceGet(&device, 0));
  return ReadDeviceFacts(driver(), device);
}

Result<RuntimeGpu*> Runtime::FindGpu(int ordinal) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<RuntimeGpu>& gpu = gpus_[ordinal];
  if (gpu == nullptr) {
    Result<std::unique_ptr<RuntimeGpu>> made = MakeGpu(ordinal);
    if (!made) return Err(made.error());
    gpu = *std::move(made);
  }
  return gpu.get();
}

Result<std::unique_ptr<RuntimeGpu>> Runtime::MakeGpu(int ordinal) {
  const Result<CudaDriver>& driver = parts_.driver();
  if (!driver) return Err(driver.error());
  auto gpu = std::make_unique<RuntimeGpu>();
  Result<std::unique_ptr<CudaDevice>> device = CudaDevice::Create(*driver, ordinal);
  if (!device) return Err(device.error());
  gpu->device = *std::move(device);
  Device handle = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(*driver, cuDeviceGet(&handle, ordinal));
  Result<DeviceFacts> facts = ReadDeviceFacts(*driver, handle);
  if (!facts) return Err(facts.error());
  gpu->facts = *facts;
  const ScopedContext current(*driver, gpu->device->context());
  const Result<ErrorRecord> record = MakeErrorRecord(*driver);
  if (!record) return Err(record.error());
  gpu->error_record = record->on_device;
  failures_.WatchDevice(ordinal, record->word);
  return gpu;
}

Result<KernelCache*> Runtime::Kernels() {
  const Result<Nvrtc>& nvrtc = parts_.nvrtc();
  if (!nvrtc) return Err(nvrtc.error());
  const std::lock_guard<std::mutex> lock(mutex_);
  if (kernels_ == nullptr) kernels_ = std::make_unique<KernelCache>(*nvrtc, parts_.cache_folder);
  return kernels_.get();
}

Result<std::shared_ptr<const CompiledKernel>> Runtime::Compile(const RowProgram& program, int64_t rows, int64_t width,
                                                               int group_size, const DeviceFacts& facts,
                                                               int ranks_on_device, Algorithm algorithm) {
  Result<KernelCache*> kernels = Kernels();
  if (!kernels) return Err(kernels.error());
  DeviceFacts shared = facts;
  shared.ranks_on_device = ranks_on_device;
  return (*kernels)->Get(program, rows, width, group_size, shared, algorithm);
}

Result<std::shared_ptr<const LoadedKernel>> Runtime::Load(RuntimeGpu* gpu,
                                                          std::shared_ptr<const CompiledKernel> compiled) {
  const std::lock_guard<std::mutex> lock(gpu->loading);
  std::shared_ptr<const LoadedKernel>& loaded = gpu->loaded[compiled.get()];
  if (loaded == nullptr) {
    const ScopedContext current(driver(), gpu->device->context());
    Result<std::shared_ptr<const LoadedKernel>> made = LoadedKernel::Load(driver(), std::move(compiled));
    if (!made) return Err(made.error());
    loaded = *std::move(made);
  }
  return loaded;
}

Result<const NcclApi*> Runtime::Nccl() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!nccl_) {
    Result<NcclApi> api = parts_.nccl();
    if (!api) return Err(api.error());
    nccl_ = *std::move(api);
  }
  return &*nccl_;
}

Result<Communicator*> Runtime::CommunicatorFor(RuntimeGpu* gpu, NcclComm comm, std::chrono::milliseconds timeout) {
  Result<const NcclApi*> api = Nccl();
  if (!api) return Err(api.error());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = communicators_.find(comm); found != communicators_.end()) return found->second.get();
  }
  Result<std::unique_ptr<NcclCommunicator>> made = NcclCommunicator::Create(**api, comm, gpu->device.get(), timeout);
  if (!made) return Err(made.error());
  const std::lock_guard<std::mutex> lock(mutex_);
  return communicators_.emplace(comm, *std::move(made)).first->second.get();
}

Result<PeerMemory> Runtime::MakeWorkspace(RuntimeGpu* gpu, NcclComm comm, int64_t capacity,
                                          std::chrono::milliseconds timeout) {
  Result<Communicator*> communicator = CommunicatorFor(gpu, comm, timeout);
  if (!communicator) return Err(communicator.error());
  if ((*communicator)->size() > kMaxRanks) {
    return Err("the group has " + std::to_string((*communicator)->size()) + " ranks, expected at most " +
               std::to_string(kMaxRanks));
  }
  const WorkspaceLayout layout = MakeWorkspaceLayout((*communicator)->size(), capacity);
  CudaDevice* device = gpu->device.get();
  const auto initialise = [&](DevicePointer workspace) -> Result<void> {
    const ScopedContext current(driver(), device->context());
    const auto stream = static_cast<Stream>(device->stream());
    if (Result<void> queued = InitialiseWorkspace(driver(), layout, workspace, stream); !queued) return queued;
    return WaitUntilIdle(device, timeout);
  };
  return SharePeerMemory(*communicator, device, OwnWhereabouts(), {layout.TotalBytes(), initialise});
}

Result<std::shared_ptr<const Workspace>> Runtime::Share(RuntimeGpu* gpu, NcclComm comm, int64_t message_bytes,
                                                        std::chrono::milliseconds timeout) {
  return workspaces_.Get(comm, message_bytes,
                         [&](int64_t capacity) { return MakeWorkspace(gpu, comm, capacity, timeout); });
}

}  // namespace jax_oneshot::cuda
