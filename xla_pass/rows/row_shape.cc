// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rows/row_shape.h"

#include <algorithm>

namespace jax_oneshot {
namespace {

bool MapsInOrder(const Dims& from, const Dims& mapping) {
  return mapping.size() == from.size() && std::is_sorted(mapping.begin(), mapping.end());
}

// True if every dimension of the operand maps to the same side of the result, rows or width.
bool KeepsSides(const Dims& from, const RowLayout& fold, const Dims& mapping, const RowLayout& to_fold) {
  for (int i = 0; i < static_cast<int>(from.size()); ++i) {
    if (from[i] != 1 && fold.IsRow(i) != to_fold.IsRow(static_cast<int>(mapping[i]))) return false;
  }
  return true;
}

}  // namespace

int64_t Product(const Dims& dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < std::min(end, dims.size()); ++i) product *= dims[i];
  return product;
}

RowLayout DefaultRowLayout(const Dims& dims) {
  int split = static_cast<int>(dims.size());
  while (split > 1 && dims[split - 1] == 1) --split;
  return {std::max(split - 1, 0)};
}

RowExtent ExtentAt(const Dims& dims, const RowLayout& fold) {
  const int64_t before = Product(dims, 0, fold.split);
  const int64_t behind = Product(dims, fold.split, dims.size());
  return fold.columns_first ? RowExtent{behind, before} : RowExtent{before, behind};
}

bool RowLayoutsAgree(const Dims& dims, const RowLayout& a, const RowLayout& b) {
  if (std::max(a.split, b.split) > static_cast<int>(dims.size())) return false;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    if (dims[i] != 1 && a.IsRow(i) != b.IsRow(i)) return false;
  }
  return true;
}

std::optional<Kind> KindAt(const Dims& dims, const RowLayout& fold, const RowExtent& extent) {
  const auto [rows, width] = ExtentAt(dims, fold);
  if ((rows != 1 && rows != extent.rows) || (width != 1 && width != extent.width)) return std::nullopt;
  const bool has_before = fold.split > 0;
  const bool has_behind = fold.split < static_cast<int>(dims.size());
  const bool has_rows = (fold.columns_first ? has_behind : has_before) && rows == extent.rows;
  const bool has_width = (fold.columns_first ? has_before : has_behind) && width == extent.width;
  return static_cast<Kind>((has_rows ? 2 : 0) | (has_width ? 1 : 0));
}

std::optional<RowLayout> RowLayoutWithExtent(const Dims& dims, const RowExtent& extent, bool columns_first) {
  columns_first &= extent.rows != 1 && extent.width != 1;
  const int64_t before = columns_first ? extent.width : extent.rows;
  const int64_t behind = columns_first ? extent.rows : extent.width;
  for (size_t s = 0; s <= dims.size(); ++s) {
    if (Product(dims, 0, s) == before && Product(dims, s, dims.size()) == behind) {
      return RowLayout{static_cast<int>(s), columns_first};
    }
  }
  return std::nullopt;
}

std::optional<RowLayout> RowLayoutAfterReshape(const Dims& from, const RowLayout& fold, const Dims& to) {
  return RowLayoutWithExtent(to, ExtentAt(from, fold), fold.columns_first);
}

// Prefers rows first. Columns come first only if the operand has all rows and the result has columns too, so that the
// sides are unambiguous whatever their sizes.
std::optional<RowLayout> RowLayoutAfterBroadcast(const Dims& from, const RowLayout& fold, const Dims& mapping,
                                                 const Dims& to, const RowExtent& extent) {
  if (!MapsInOrder(from, mapping)) return std::nullopt;
  for (const bool columns_first : {false, true}) {
    if (columns_first && (extent.rows == 1 || ExtentAt(from, fold).rows != extent.rows)) break;
    for (int s = 0; s <= static_cast<int>(to.size()); ++s) {
      const RowLayout found = {s, columns_first};
      const auto [rows, width] = ExtentAt(to, found);
      if (rows != extent.rows || (width != extent.width && (width != 1 || columns_first))) continue;
      if (KeepsSides(from, fold, mapping, found)) return RowsFirstIfEither(to, found);
    }
  }
  return std::nullopt;
}

std::optional<RowLayout> RowLayoutBeforeBroadcast(const Dims& from, const Dims& mapping, const RowLayout& fold) {
  if (!MapsInOrder(from, mapping)) return std::nullopt;
  int s = 0;
  while (s < static_cast<int>(from.size()) && mapping[s] < fold.split) ++s;
  return RowsFirstIfEither(from, {s, fold.columns_first});
}

bool ReducesTheWidth(const Dims& from, const RowLayout& fold, const Dims& reduced) {
  for (int i = 0; i < static_cast<int>(from.size()); ++i) {
    const bool is_reduced = std::find(reduced.begin(), reduced.end(), i) != reduced.end();
    if (from[i] != 1 && is_reduced == fold.IsRow(i)) return false;
  }
  return true;
}

RowLayout RowLayoutAfterReduce(const RowLayout& fold, const Dims& reduced, const Dims& to) {
  const auto gone = std::count_if(reduced.begin(), reduced.end(), [&](int64_t d) { return d < fold.split; });
  return RowsFirstIfEither(to, {fold.split - static_cast<int>(gone), fold.columns_first});
}

RowLayout RowsFirstIfEither(const Dims& dims, const RowLayout& fold) {
  return fold.columns_first ? RowLayoutWithExtent(dims, ExtentAt(dims, fold), true).value_or(fold) : fold;
}

}  // namespace jax_oneshot
