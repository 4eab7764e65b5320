// SPDX-License-Identifier: Apache-2.0
// Random operands and result buffers of every rank, for tests and benchmarks of the CPU backend.
#ifndef FFI_KERNELS_CPU_RANK_DATA_H_
#define FFI_KERNELS_CPU_RANK_DATA_H_

#include <cstdint>
#include <vector>

#include "ffi_kernels/cpu/engine.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

struct RankDataOptions {
  int64_t rows = 1, width = 1;
  int ranks = 8;
  uint32_t seed = 1;
  bool same_locals = true;  // every rank's local operands have equal contents, in separate memory
};

class RankData {
 public:
  RankData(const RowProgram& program, const RankDataOptions& options);

  // In rank order; valid as long as this object.
  const RankBuffers* buffers() const { return buffers_.data(); }
  const std::vector<std::vector<const void*>>& inputs() const { return inputs_; }
  const std::vector<uint8_t>& output(int rank, int i) const { return output_bytes_[rank][i]; }
  std::vector<uint8_t>* input(int rank, int i) { return &input_bytes_[rank][i]; }

  // The outputs of that rank as the scalar evaluator computes them.
  std::vector<std::vector<uint8_t>> Expected(int rank) const;

 private:
  const RowProgram& program_;
  RankDataOptions options_;
  std::vector<std::vector<std::vector<uint8_t>>> input_bytes_, output_bytes_;  // by rank, by index
  std::vector<std::vector<const void*>> inputs_;
  std::vector<std::vector<void*>> outputs_;
  std::vector<RankBuffers> buffers_;
};

// Element `i` of a buffer, as f32.
float ElementOf(DType dtype, const std::vector<uint8_t>& bytes, int64_t i);

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_RANK_DATA_H_
