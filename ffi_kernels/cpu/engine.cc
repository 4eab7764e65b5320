// SPDX-License-Identifier: Apache-2.0
// Implementation of engine.h.
#include "ffi_kernels/cpu/engine.h"

#include <algorithm>
#include <utility>

#include "ffi_kernels/cpu/row_runner.h"
#include "ffi_kernels/cpu/workspace.h"

namespace jax_oneshot {
namespace {

// Large enough that the cost of taking a block is negligible, small enough that two threads finish together.
constexpr int64_t kElementsPerBlock = 8 * 1024;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Engine::Engine(RowProgram program, int64_t rows, int64_t width, const Loops& loops)
    : program_(std::move(program)),
      rows_(rows),
      width_(width),
      loops_(loops),
      plan_(MakePlan(program_, loops_)),
      in_place_(program_, plan_, rows, width) {
  rows_per_block_ = std::max<int64_t>(1, kElementsPerBlock / width);
  row_blocks_ = CeilDiv(rows, rows_per_block_);
  columns_per_block_ = plan_.has_reduction ? width : std::min(width, kElementsPerBlock);
  column_blocks_ = CeilDiv(width, columns_per_block_);
}

Engine::~Engine() = default;

std::unique_ptr<Workspace> Engine::TakeWorkspace() const {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Workspace> workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
  }
  return std::make_unique<Workspace>(plan_, width_);
}

void Engine::ReturnWorkspace(std::unique_ptr<Workspace> workspace) const {
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(workspace));
}

void Engine::RunBlocks(int64_t first, int64_t last, const RankBuffers* ranks, int rank_count) const {
  std::unique_ptr<Workspace> workspace = TakeWorkspace();
  // Blocks of whole rows are contiguous and run together; a piece of a row is run on its own.
  const int64_t step = column_blocks_ == 1 ? std::max<int64_t>(1, last - first) : 1;
  for (int64_t block = first; block < last; block += step) {
    const int64_t row = block / column_blocks_ * rows_per_block_;
    const int64_t column = block % column_blocks_ * columns_per_block_;
    const RowRange rows = {row, std::min(rows_, row + step * rows_per_block_)};
    const RowRange columns = {column, std::min(width_, column + columns_per_block_)};
    RowRunner(program_, plan_, loops_, width_, columns, ranks, rank_count, workspace.get()).Run(rows);
  }
  ReturnWorkspace(std::move(workspace));
}

}  // namespace jax_oneshot
