// Layout of a rank's workspace, from the number of ranks and the largest message of one rank.
//
//   offset 0:            kEpochEntries x {u32 epoch, u32 bytes of the call before}
//   offset SlotsOffset(): slot 0 { from rank 0: capacity bytes, from rank 1, ... }, slot 1 { ... }, slot 2 { ... }
//
// Peers write into the slots, this rank reads them. A word of a slot that nobody has written holds kSentinel. Call e
// uses slot e % 3 and restores the sentinels of the slot that call e - 1 used: by then every rank has finished with
// call e - 1 there, and nobody writes that slot again before call e + 2, which cannot begin anywhere before this rank
// has finished call e.
//
// By two shots a rank's region holds what that rank sends in both hops: parts, then sums (launch_plan.h). Own regions
// are not part of the protocol: a kernel keeps sums of its own there (device/two_shot.cuh), and reads what it wrote
// itself.
//
// Before the first call the owner runs InitialiseWorkspace, and no rank may launch before all ranks have done so.
// After that a workspace serves any number of calls of any kernels, launched in one order on all ranks, on one stream
// (or on streams that wait for each other) per rank.
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
// Epochs count from 0 to kEpochPeriod - 1 and start again; a multiple of kSlots, so that the slots stay in turn.
inline constexpr uint32_t kEpochPeriod = 0xc0000000;

struct EpochEntry {
  uint32_t epoch;
  uint32_t used_bytes;  // per source rank, by the call before
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

// Epochs to zero, slots to sentinels, in stream order.
Result<void> InitialiseWorkspace(const CudaDriver& driver, const WorkspaceLayout& layout, DevicePointer workspace,
                                 Stream stream);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_WORKSPACE_LAYOUT_H_
