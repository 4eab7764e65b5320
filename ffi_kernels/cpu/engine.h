// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the CPU backend, independent of XLA. Sums once per group, runs the epilogue once per distinct set
// of local operands (usually one), and splits the work into blocks that threads may run in any order.
#ifndef FFI_KERNELS_CPU_ENGINE_H_
#define FFI_KERNELS_CPU_ENGINE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "ffi_kernels/cpu/in_place.h"
#include "ffi_kernels/cpu/loops.h"
#include "ffi_kernels/cpu/plan.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

class Workspace;

class Engine {
 public:
  // `rows` and `width` are at least 1.
  Engine(RowProgram program, int64_t rows, int64_t width, const Loops& loops);
  ~Engine();

  const RowProgram& program() const { return program_; }
  int64_t rows() const { return rows_; }
  int64_t width() const { return width_; }

  // Call before a call's first block: results may alias operands.
  void Protect(std::vector<RankBuffers>* ranks, InPlace::Copies* copies) const { in_place_.Protect(ranks, copies); }

  // Blocks are independent of each other; together they write every output element exactly once.
  int64_t block_count() const { return row_blocks_ * column_blocks_; }

  // Runs blocks `first` to `last`-1; running several in one call is cheaper than one by one. Thread-safe. `ranks` are
  // in the order of the sum; their number divides the width if the program has shards. Allocates only when more threads
  // run blocks at once than ever before.
  void RunBlocks(int64_t first, int64_t last, const RankBuffers* ranks, int rank_count) const;

 private:
  std::unique_ptr<Workspace> TakeWorkspace() const;
  void ReturnWorkspace(std::unique_ptr<Workspace> workspace) const;

  const RowProgram program_;
  const int64_t rows_;
  const int64_t width_;
  const Loops& loops_;
  const Plan plan_;
  const InPlace in_place_;
  int64_t rows_per_block_ = 1, row_blocks_ = 0;
  int64_t columns_per_block_ = 0, column_blocks_ = 1;

  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_ENGINE_H_
