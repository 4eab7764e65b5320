// SPDX-License-Identifier: Apache-2.0
// Implementation of workspace_layout.h.
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {

Result<void> InitialiseWorkspace(const CudaDriver& driver, const WorkspaceLayout& layout, DevicePointer workspace,
                                 Stream stream) {
  const DevicePointer slots = workspace + WorkspaceLayout::SlotsOffset();
  const size_t slot_words = static_cast<size_t>(layout.SlotBytes()) / sizeof(kSentinel);
  ONESHOT_CUDA_RETURN_IF_ERROR(
      driver, cuMemsetD32Async(workspace, 0, WorkspaceLayout::SlotsOffset() / sizeof(uint32_t), stream));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemsetD32Async(slots, kSentinel, slot_words, stream));
  return {};
}

}  // namespace jax_oneshot::cuda
