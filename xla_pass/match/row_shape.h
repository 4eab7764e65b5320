// In:  dimensions of HLO shapes. Out: how they fold onto [rows, width].
//
// A shape folds at a split: dimensions before it are rows, the rest is width.
//   [2,4,512] at 2 -> rows 8, width 512      [8] at 1 -> rows 8      [512] at 0 -> width 512
// Splits that differ only by dimensions of size one mean the same.
#ifndef XLA_PASS_MATCH_ROW_SHAPE_H_
#define XLA_PASS_MATCH_ROW_SHAPE_H_

#include <cstdint>
#include <optional>

#include "ffi_kernels/base/span.h"
#include "ffi_kernels/row_program/row_program.h"

namespace jax_oneshot {

using Dims = Span<int64_t>;

struct RowExtent {
  int64_t rows = 1;
  int64_t width = 1;
};

int64_t Product(const Dims& dims, size_t begin, size_t end);

// Where a shape folds by itself: before its last dimension that is not one.
//   [2,4,512] at 2      [4096,8,1,1] at 1      [512] at 0      [] at 0
int SplitBeforeTheRow(const Dims& dims);

bool SplitsAgree(const Dims& dims, int a, int b);

// What a shape that folds at `split` varies over, if it fits the extent at all.
std::optional<Kind> KindAt(const Dims& dims, int split, const RowExtent& extent);

// The split of `to` that folds the same elements into rows as `from` at `split`; shapes of one element count.
std::optional<int> SplitAfterReshape(const Dims& from, int split, const Dims& to);

// broadcast(from, dimensions=mapping) -> to. Forward: the split of the result, given that of a row or row-scalar
// operand. Backward: the split of the operand, given that of the result.
std::optional<int> SplitAfterBroadcast(const Dims& from, int split, const Dims& mapping, const Dims& to,
                                       const RowExtent& extent);
std::optional<int> SplitBeforeBroadcast(const Dims& from, const Dims& mapping, int split);

// True when a transpose moves only dimensions of size one.
bool TransposeMovesNothing(const Dims& from, const Dims& permutation);

// bitcast between two layouts (minor_to_major; empty: row-major): true when it is a reshape all the same, which it is
// where both are row-major, and where only dimensions of size one come or go.
bool BitcastReshapes(const Dims& from, const Dims& from_layout, const Dims& to, const Dims& to_layout);

// reduce(from, dimensions=reduced): true when exactly the width is reduced away.
bool ReducesTheWidth(const Dims& from, int split, const Dims& reduced);
int SplitAfterReduce(int split, const Dims& reduced);

}  // namespace jax_oneshot

#endif  // XLA_PASS_MATCH_ROW_SHAPE_H_
