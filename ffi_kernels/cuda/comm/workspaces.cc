// SPDX-License-Identifier: Apache-2.0
// Implementation of workspaces.h.
#include "ffi_kernels/cuda/comm/workspaces.h"

namespace jax_oneshot::cuda {
namespace {

constexpr int64_t kLeastCapacity = 64 << 10;  // decode steps of most models: one size for all their calls

int64_t RoundUp(int64_t message_bytes) {
  int64_t capacity = kLeastCapacity;
  while (capacity < message_bytes) capacity *= 2;
  return capacity;
}

}  // namespace

Result<std::shared_ptr<const Workspace>> Workspaces::Get(const void* communicator, int64_t message_bytes,
                                                         const Make& make) {
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Entry>& slot = entries_[communicator];
    if (slot == nullptr) slot = std::make_shared<Entry>();
    entry = slot;
  }
  const std::lock_guard<std::mutex> lock(entry->mutex);  // while `make` blocks, only this communicator's ranks wait
  if (!entry->error.empty()) return Err(entry->error);
  if (entry->workspace != nullptr && entry->workspace->capacity >= message_bytes) return entry->workspace;
  const int64_t capacity = RoundUp(message_bytes);
  Result<PeerMemory> memory = make(capacity);
  if (!memory) {
    entry->error = memory.error();
    return Err(entry->error);
  }
  entry->workspace = std::make_shared<const Workspace>(Workspace{*std::move(memory), capacity});
  return entry->workspace;
}

}  // namespace jax_oneshot::cuda
