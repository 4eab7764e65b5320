// SPDX-License-Identifier: Apache-2.0
// Implementation of cuda_call.h.
#include "ffi_kernels/cuda/handler/cuda_call.h"

#include <algorithm>
#include <utility>

namespace jax_oneshot::cuda {

CudaCall::~CudaCall() {
  for (const std::atomic<const Bound*>& bound : bound_) delete bound.load(std::memory_order_acquire);
}

void CudaCall::CompileAhead() {
  if (!runtime_.HasGpu()) return;
  const Result<DeviceFacts> facts = runtime_.FirstGpuFacts();
  if (facts) (void)Compile(*facts, 1);
}

Result<std::shared_ptr<const CompiledKernel>> CudaCall::Compile(const DeviceFacts& facts, int ranks_on_device) const {
  return runtime_.Compile(spec_.program, spec_.rows, spec_.width, spec_.groups.group_size(), facts, ranks_on_device,
                          spec_.algorithm);
}

bool CudaCall::IsBound(int ordinal) const {
  return ordinal >= 0 && ordinal < kMaxGpus && bound_[static_cast<size_t>(ordinal)].load(std::memory_order_acquire);
}

Result<void> CudaCall::Bind(int ordinal, NcclComm comm) {
  if (ordinal < 0 || ordinal >= kMaxGpus) {
    return Err("XLA gave device ordinal " + std::to_string(ordinal) + ", expected 0 to " +
               std::to_string(kMaxGpus - 1));
  }
  Result<std::unique_ptr<Bound>> made = MakeBound(ordinal, comm);
  if (!made) return Err(made.error());
  // XLA initialises a device from one thread at a time; if two raced anyway, both made the same.
  const Bound* none = nullptr;
  if (bound_[static_cast<size_t>(ordinal)].compare_exchange_strong(none, made->get())) (void)made->release();
  return {};
}

Result<std::unique_ptr<CudaCall::Bound>> CudaCall::MakeBound(int ordinal, NcclComm comm) const {
  if (const std::optional<std::string> failure = runtime_.failures().FailureOn(ordinal)) return Err(*failure);
  auto bound = std::make_unique<Bound>();
  Result<RuntimeGpu*> gpu = runtime_.FindGpu(ordinal);
  if (!gpu) return Err(gpu.error());
  bound->gpu = *gpu;
  if (Result<void> shared = ShareAndCompile(comm, bound.get()); !shared) return Err(shared.error());
  bound->arguments = MakeArguments(*bound);
  return bound;
}

// The number of ranks that share a GPU is known only once a workspace exists, and may require another kernel.
Result<void> CudaCall::ShareAndCompile(NcclComm comm, Bound* bound) const {
  int ranks_on_device = 1;
  while (true) {
    const auto compiled = Compile(bound->gpu->facts, ranks_on_device);
    if (!compiled) return Err(compiled.error());
    auto workspace = runtime_.Share(bound->gpu, comm, (*compiled)->plan.message_bytes, spec_.timeout);
    if (!workspace) return Err(workspace.error());
    bound->workspace = *workspace;
    const PeerMemory& memory = bound->workspace->memory;
    if (memory.size != spec_.groups.group_size()) {
      return Err("XLA's communicator has " + std::to_string(memory.size) + " ranks, the call's groups have " +
                 std::to_string(spec_.groups.group_size()));
    }
    if (memory.ranks_on_device != ranks_on_device) {
      ranks_on_device = memory.ranks_on_device;
      continue;
    }
    auto loaded = runtime_.Load(bound->gpu, *compiled);
    if (!loaded) return Err(loaded.error());
    bound->kernel = *loaded;
    return {};
  }
}

KernelArguments CudaCall::MakeArguments(const Bound& bound) const {
  const PeerMemory& memory = bound.workspace->memory;
  KernelArguments arguments;
  arguments.peers.rank = memory.rank;
  arguments.peers.size = memory.size;
  std::copy(memory.workspaces.begin(), memory.workspaces.end(), arguments.peers.workspace.begin());
  arguments.peers.multicast = memory.multicast;
  arguments.capacity_bytes = bound.workspace->capacity;
  arguments.call = runtime_.failures().AddCall({spec_.name, memory.rank, memory.size, spec_.timeout});
  arguments.timeout_ns = static_cast<uint64_t>(std::chrono::nanoseconds(spec_.timeout).count());
  arguments.error_record = bound.gpu->error_record;
  return arguments;
}

Result<void> CudaCall::Launch(int ordinal, Stream stream, std::vector<DevicePointer> inputs,
                              std::vector<DevicePointer> outputs) const {
  if (!IsBound(ordinal)) return Err("device " + std::to_string(ordinal) + " was not initialised before it executes");
  if (std::optional<std::string> failure = runtime_.failures().FailureOn(ordinal)) return Err(*std::move(failure));
  const Bound& bound = *bound_[static_cast<size_t>(ordinal)].load(std::memory_order_acquire);
  KernelArguments arguments = bound.arguments;
  arguments.inputs = std::move(inputs);
  arguments.outputs = std::move(outputs);
  const ScopedContext current(runtime_.driver(), bound.gpu->device->context());
  return bound.kernel->Launch(stream, arguments);
}

}  // namespace jax_oneshot::cuda
