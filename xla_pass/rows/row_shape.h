// Fold: how the dimensions of an HLO shape map onto [rows, width].
//
// A fold says which dimensions are rows and which are the width. It cuts the dimensions at `split`: those before it are
// the rows and the rest is the width, or, where the columns come first, the other way round.
//   [2,4,512] {2} -> rows 8, width 512      [8] {1} -> rows 8      [512] {0} -> width 512
//   [512,2,4] {1, columns_first} -> rows 8, width 512: the first one transposed
// Rows are numbered in the order of their dimensions, and so are columns. Folds that differ only by dimensions of size
// one mean the same; where there is one row or one column, nothing is transposed, and all that is made here has its
// rows first.
#ifndef XLA_PASS_ROWS_ROW_SHAPE_H_
#define XLA_PASS_ROWS_ROW_SHAPE_H_

#include <cstdint>
#include <optional>

#include "base/span.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

using Dims = Span<int64_t>;

struct RowExtent {
  int64_t rows = 1;
  int64_t width = 1;
};

struct RowLayout {
  int split = 0;
  bool columns_first = false;

  bool IsRow(int dimension) const { return (dimension < split) != columns_first; }
  bool operator==(const RowLayout& other) const { return split == other.split && columns_first == other.columns_first; }
};

int64_t Product(const Dims& dims, size_t begin, size_t end);

// Where a shape folds by itself: before its last dimension that is not one.
//   [2,4,512] {2}      [4096,8,1,1] {1}      [512] {0}      [] {0}
RowLayout FoldBeforeTheRow(const Dims& dims);

RowExtent ExtentAt(const Dims& dims, const RowLayout& fold);

bool RowLayoutsAgree(const Dims& dims, const RowLayout& a, const RowLayout& b);

// What a shape that folds so varies over, if it fits the extent at all.
std::optional<Kind> KindAt(const Dims& dims, const RowLayout& fold, const RowExtent& extent);

// The first fold of the shape into so many rows and columns; columns come first only where both are several.
std::optional<RowLayout> FoldInto(const Dims& dims, const RowExtent& extent, bool columns_first);

// The fold of `to` that makes rows of the same elements as `from` has at `fold`; row-major shapes of one element count.
std::optional<RowLayout> RowLayoutAfterReshape(const Dims& from, const RowLayout& fold, const Dims& to);

// broadcast(from, dimensions=mapping) -> to. Forward: the fold of the result, given that of a row or row-scalar
// operand. Backward: the fold of the operand, given that of the result.
std::optional<RowLayout> RowLayoutAfterBroadcast(const Dims& from, const RowLayout& fold, const Dims& mapping,
                                                 const Dims& to, const RowExtent& extent);
std::optional<RowLayout> RowLayoutBeforeBroadcast(const Dims& from, const Dims& mapping, const RowLayout& fold);

// reduce(from, dimensions=reduced) -> to: true when exactly the width is reduced away.
bool ReducesTheWidth(const Dims& from, const RowLayout& fold, const Dims& reduced);
RowLayout RowLayoutAfterReduce(const RowLayout& fold, const Dims& reduced, const Dims& to);

// The same fold with its rows first, where there is one row or one column.
RowLayout RowsFirstIfEither(const Dims& dims, const RowLayout& fold);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROWS_ROW_SHAPE_H_
