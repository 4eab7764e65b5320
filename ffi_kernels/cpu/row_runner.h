// SPDX-License-Identifier: Apache-2.0
// Runs a Plan on rows of one column range: reads every rank's operands, writes every rank's results.
#ifndef FFI_KERNELS_CPU_ROW_RUNNER_H_
#define FFI_KERNELS_CPU_ROW_RUNNER_H_

#include <cstdint>

#include "ffi_kernels/cpu/engine.h"
#include "ffi_kernels/cpu/plan.h"
#include "ffi_kernels/cpu/workspace.h"

namespace jax_oneshot {

struct RowRange {
  int64_t begin, end;
};

class RowRunner {
 public:
  RowRunner(const RowProgram& program, const Plan& plan, const Loops& loops, int64_t width, RowRange columns,
            const RankBuffers* ranks, int rank_count, Workspace* workspace)
      : program_(program),
        plan_(plan),
        loops_(loops),
        width_(width),
        columns_(columns),
        ranks_(ranks),
        rank_count_(rank_count),
        ws_(*workspace) {}

  void Run(RowRange rows);

 private:
  // Sets ws_.leader[r] to the first rank whose local operands equal those of rank r bit for bit.
  void FindVecLeaders();
  void FindLeaders(int64_t row);
  bool SameLocals(int a, int b, int64_t row, bool per_row) const;

  // Copies this row's columns of the operands that every leader reads, because the results of one leader may overwrite
  // the operands of the next (in_place.h). Combined inputs: rank after rank. Gathered inputs: the full row.
  void KeepSharedOperands();
  void ForgetSharedOperands() { ws_.kept_at.assign(program_.inputs.size(), -1); }

  void RunRow(int64_t row, int leader);
  void RunStep(const Step& step, int64_t column, int64_t n);
  void Load(const Step& step, int64_t column, float* out, int64_t n);
  void Combine(const Step& step, int64_t column, float* out, int64_t n);
  void Gather(const Step& step, int64_t column, float* out, int64_t n);
  void Store(const Step& step, int64_t column, const float* in, int64_t n);
  void StoreShards(const Step& step, int64_t column, const float* in, int64_t n);

  // Calls visit(rank, first, done, count) for each rank's part of the chunk of n columns that begins at `column`:
  // `count` elements, from index `done` in the chunk and index `first` in that rank's shard.
  template <typename Visit>
  void ForEachShard(Kind kind, int64_t column, int64_t n, Visit visit) const;

  // Index of the first element of this row's chunk in a buffer of `kind` whose rows are `width` long.
  int64_t First(Kind kind, int64_t column, int64_t width) const;
  int64_t First(Kind kind, int64_t column) const { return First(kind, column, width_); }

  const RowProgram& program_;
  const Plan& plan_;
  const Loops& loops_;
  const int64_t width_;
  const RowRange columns_;
  const RankBuffers* ranks_;
  const int rank_count_;
  Workspace& ws_;
  int64_t row_ = 0;
  int leader_ = 0;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_ROW_RUNNER_H_
