// SPDX-License-Identifier: Apache-2.0
// RowLayout: how the dimensions of an HLO shape map onto [rows, width].
//
// The dimensions are cut at `split`: those before it are the rows and the rest is the width, or the reverse if the
// columns come first.
//   [2,4,512] {2} -> rows 8, width 512      [8] {1} -> rows 8      [512] {0} -> width 512
//   [512,2,4] {1, columns_first} -> rows 8, width 512: the first example transposed
// Rows are numbered in the order of their dimensions, and so are columns. Row layouts that differ only in dimensions of
// size one are equivalent. With a single row or column there is nothing to transpose, and the functions below return
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

// The default row layout: the width is the last dimension of a size other than one.
//   [2,4,512] {2}      [4096,8,1,1] {1}      [512] {0}      [] {0}
RowLayout DefaultRowLayout(const Dims& dims);

RowExtent ExtentAt(const Dims& dims, const RowLayout& fold);

bool RowLayoutsAgree(const Dims& dims, const RowLayout& a, const RowLayout& b);

// The kind of a shape with this row layout, or nothing if it does not fit the extent.
std::optional<Kind> KindAt(const Dims& dims, const RowLayout& fold, const RowExtent& extent);

// The first row layout of the shape with this extent; columns come first only if there are several rows and columns.
std::optional<RowLayout> RowLayoutWithExtent(const Dims& dims, const RowExtent& extent, bool columns_first);

// The row layout of `to` with the same rows as `from` has at `fold`; both are row-major with equal element counts.
std::optional<RowLayout> RowLayoutAfterReshape(const Dims& from, const RowLayout& fold, const Dims& to);

// broadcast(from, dimensions=mapping) -> to. After: the row layout of the result, given that of a row or row-scalar
// operand. Before: that of the operand, given that of the result.
std::optional<RowLayout> RowLayoutAfterBroadcast(const Dims& from, const RowLayout& fold, const Dims& mapping,
                                                 const Dims& to, const RowExtent& extent);
std::optional<RowLayout> RowLayoutBeforeBroadcast(const Dims& from, const Dims& mapping, const RowLayout& fold);

// reduce(from, dimensions=reduced) -> to: true if exactly the width is reduced.
bool ReducesTheWidth(const Dims& from, const RowLayout& fold, const Dims& reduced);
RowLayout RowLayoutAfterReduce(const RowLayout& fold, const Dims& reduced, const Dims& to);

// The same row layout, with rows first if there is a single row or column.
RowLayout RowsFirstIfEither(const Dims& dims, const RowLayout& fold);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROWS_ROW_SHAPE_H_
