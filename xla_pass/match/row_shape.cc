#include "xla_pass/match/row_shape.h"

#include <algorithm>
#include <vector>

namespace jax_oneshot {

int64_t Product(const Dims& dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < std::min(end, dims.size()); ++i) product *= dims[i];
  return product;
}

int SplitBeforeTheRow(const Dims& dims) {
  int split = static_cast<int>(dims.size());
  while (split > 1 && dims[split - 1] == 1) --split;
  return std::max(split - 1, 0);
}

bool SplitsAgree(const Dims& dims, int a, int b) {
  if (std::max(a, b) > static_cast<int>(dims.size())) return false;
  for (int i = std::min(a, b); i < std::max(a, b); ++i) {
    if (dims[i] != 1) return false;
  }
  return true;
}

std::optional<Kind> KindAt(const Dims& dims, int split, const RowExtent& extent) {
  const int64_t rows = Product(dims, 0, split);
  const int64_t width = Product(dims, split, dims.size());
  if ((rows != 1 && rows != extent.rows) || (width != 1 && width != extent.width)) return std::nullopt;
  const bool has_rows = split > 0 && rows == extent.rows;
  const bool has_width = split < static_cast<int>(dims.size()) && width == extent.width;
  return static_cast<Kind>((has_rows ? 2 : 0) | (has_width ? 1 : 0));
}

std::optional<int> SplitAfterReshape(const Dims& from, int split, const Dims& to) {
  const int64_t rows = Product(from, 0, split);
  const int64_t width = Product(from, split, from.size());
  for (size_t s = 0; s <= to.size(); ++s) {
    if (Product(to, 0, s) == rows && Product(to, s, to.size()) == width) return static_cast<int>(s);
  }
  return std::nullopt;
}

std::optional<int> SplitAfterBroadcast(const Dims& from, int split, const Dims& mapping, const Dims& to,
                                       const RowExtent& extent) {
  if (mapping.size() != from.size() || !std::is_sorted(mapping.begin(), mapping.end())) return std::nullopt;
  for (int s = 0; s <= static_cast<int>(to.size()); ++s) {
    if (Product(to, 0, s) != extent.rows) continue;
    const int64_t width = Product(to, s, to.size());
    if (width != 1 && width != extent.width) continue;
    bool consistent = true;
    for (int i = 0; i < static_cast<int>(from.size()); ++i) {
      consistent &= from[i] == 1 || (i < split) == (mapping[i] < s);
    }
    if (consistent) return s;
  }
  return std::nullopt;
}

std::optional<int> SplitBeforeBroadcast(const Dims& from, const Dims& mapping, int split) {
  if (mapping.size() != from.size() || !std::is_sorted(mapping.begin(), mapping.end())) return std::nullopt;
  int s = 0;
  while (s < static_cast<int>(from.size()) && mapping[s] < split) ++s;
  return s;
}

bool TransposeMovesNothing(const Dims& from, const Dims& permutation) {
  int64_t last = -1;
  for (int64_t source : permutation) {
    if (source < 0 || source >= static_cast<int64_t>(from.size())) return false;
    if (from[source] == 1) continue;
    if (source < last) return false;
    last = source;
  }
  return true;
}

namespace {

// The sizes other than one, the last in memory first; and for each its place among the dimensions.
struct MemoryOrder {
  std::vector<int64_t> sizes;
  std::vector<int64_t> places;
  bool is_row_major = true;
};

MemoryOrder OrderInMemory(const Dims& dims, const Dims& layout) {
  std::vector<int64_t> place(dims.size(), -1);
  int64_t next = 0;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] != 1) place[d] = next++;
  }
  MemoryOrder order;
  for (size_t i = 0; i < dims.size(); ++i) {
    const size_t d = layout.size() == dims.size() ? static_cast<size_t>(layout[i]) : dims.size() - 1 - i;
    if (place[d] < 0) continue;
    order.is_row_major &= order.places.empty() || order.places.back() > place[d];
    order.sizes.push_back(dims[d]);
    order.places.push_back(place[d]);
  }
  return order;
}

}  // namespace

bool BitcastReshapes(const Dims& from, const Dims& from_layout, const Dims& to, const Dims& to_layout) {
  const MemoryOrder a = OrderInMemory(from, from_layout);
  const MemoryOrder b = OrderInMemory(to, to_layout);
  return (a.is_row_major && b.is_row_major) || (a.sizes == b.sizes && a.places == b.places);
}

bool ReducesTheWidth(const Dims& from, int split, const Dims& reduced) {
  for (int i = 0; i < static_cast<int>(from.size()); ++i) {
    const bool is_reduced = std::find(reduced.begin(), reduced.end(), i) != reduced.end();
    if (from[i] != 1 && is_reduced != (i >= split)) return false;
  }
  return true;
}

int SplitAfterReduce(int split, const Dims& reduced) {
  return split - static_cast<int>(std::count_if(reduced.begin(), reduced.end(), [&](int64_t d) { return d < split; }));
}

}  // namespace jax_oneshot
