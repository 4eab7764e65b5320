// SPDX-License-Identifier: Apache-2.0
// The scratch memory that one thread needs to run a Plan: slots, chunk buffers, row buffers, splats, totals.
#ifndef FFI_KERNELS_CPU_WORKSPACE_H_
#define FFI_KERNELS_CPU_WORKSPACE_H_

#include <cstdint>
#include <vector>

#include "ffi_kernels/cpu/plan.h"

namespace jax_oneshot {

// Elements of a row that go through all steps of a phase together: a dozen such f32 buffers fit in the L1 cache.
inline constexpr int64_t kChunk = 512;

class Workspace {
 public:
  Workspace(const Plan& plan, int64_t width)
      : row_stride_((width + kChunk - 1) / kChunk * kChunk),
        totals_(plan.totals),
        memory_(kAlign + plan.slots + (plan.chunks + plan.splats) * kChunk + plan.rows * row_stride_) {
    // Chunks first, because they must be aligned.
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    chunks_ = memory_.data() + (kAlignBytes - address % kAlignBytes) % kAlignBytes / sizeof(float);
    splats_ = chunks_ + plan.chunks * kChunk;
    rows_ = splats_ + plan.splats * kChunk;
    slots_ = rows_ + plan.rows * row_stride_;
  }

  // The buffer of the value for the chunk that begins at `column`.
  float* At(const Place& place, int64_t column) {
    switch (place.where) {
      case Place::Where::kSlot:
        return slots_ + place.index;
      case Place::Where::kChunk:
        return chunks_ + place.index * kChunk;
      case Place::Where::kSplat:
        return splats_ + place.index * kChunk;
      case Place::Where::kRow:
        return rows_ + (place.index * row_stride_ + column);
      case Place::Where::kTotal:
      case Place::Where::kNone:
        break;
    }
    return nullptr;
  }

  double& Total(const Place& place) { return totals_[place.index]; }

  // Scratch for RowRunner, kept here so that a call does not allocate.
  std::vector<const void*> rank_pointers;
  std::vector<int> leader, vec_leader;
  std::vector<char> kept;        // see RowRunner::KeepSharedOperands
  std::vector<int64_t> kept_at;  // by input: offset in `kept`; -1: not kept

 private:
  static constexpr uintptr_t kAlignBytes = 64;  // a cache line
  static constexpr int64_t kAlign = kAlignBytes / sizeof(float);

  const int64_t row_stride_;
  std::vector<double> totals_;
  std::vector<float> memory_;
  float* chunks_;
  float* splats_;
  float* rows_;
  float* slots_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_WORKSPACE_H_
