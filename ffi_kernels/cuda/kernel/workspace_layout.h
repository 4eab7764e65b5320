// SPDX-License-Identifier: Apache-2.0
// Layout of a rank's workspace, given the number of ranks and the largest message of one rank.
//
//   offset 0:            kEpochEntries x {u32 epoch, u32 bytes used by the previous call}
//   offset SlotsOffset(): slot 0 { from rank 0: capacity bytes, from rank 1, ... }, slot 1 { ... }, slot 2 { ... }
//
// Peers write into the slots, this rank reads them. A word that has not been written holds kSentinel. Call e uses slot
// e % 3 and restores the sentinels of the slot of call e - 1: by then no rank uses that slot for call e - 1 any more,
// and none writes to it before call e + 2, which cannot begin on any rank before this rank has finished call e.
//
// Two-shot: a rank's region holds everything that the rank sends in both hops: parts, then sums (launch_plan.h). A
// rank's own region is not part of the protocol: a kernel may keep its own sums there (device/two_shot.cuh) and reads
// only words that it wrote itself.
//
// Before the first call the owner runs InitialiseWorkspace, and no rank may launch before all ranks have done so. After
// that a workspace serves any number of calls of any kernels, launched in the same order on all ranks, on one stream
// per rank (or on streams that wait for each other).
#ifndef FFI_KERNELS_CUDA_KERNEL_WORKSPACE_LAYOUT_H_
#define FFI_KERNELS_CUDA_KERNEL_WORKSPACE_LAYOUT_H_

#include <cstdint>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda {

inline constexpr uint32_t kSentinel = 0x80000000;  // the bits of -0.0f
inline constexpr int kMaxRanks = 16;
inline constexpr int kSlots = 3;
inline constexpr int kEpochEntries = 512;  // the largest grid
// Epochs count from 0 to kEpochPeriod - 1 and wrap around; a multiple of kSlots, so that slots keep alternating.
inline constexpr uint32_t kEpochPeriod = 0xc0000000;

struct EpochEntry {
  uint32_t epoch;
  uint32_t used_bytes;  // per source rank, by the previous call
};

struct WorkspaceLayout {
  int group_size = 0;
  int64_t capacity_bytes = 0;  // per slot and source rank; a multiple of 16

  static constexpr int64_t SlotsOffset() { return kEpochEntries * static_cast<int64_t>(sizeof(EpochEntry)); }
  constexpr int64_t SlotBytes() const { return kSlots * group_size * capacity_bytes; }
  constexpr int64_t TotalBytes() const { return SlotsOffset() + SlotBytes(); }
};

// A layout for messages of up to `message_bytes`.
constexpr WorkspaceLayout MakeWorkspaceLayout(int group_size, int64_t message_bytes) {
  return {group_size, (message_bytes + 15) / 16 * 16};
}

// Sets epochs to zero and slots to sentinels, in stream order.
Result<void> InitialiseWorkspace(const CudaDriver& driver, const WorkspaceLayout& layout, DevicePointer workspace,
                                 Stream stream);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_WORKSPACE_LAYOUT_H_
