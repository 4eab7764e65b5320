// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rows/row_moves.h"

#include <string>
#include <vector>

#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// The dimensions other than those of size one, minor to major: their sizes and their logical positions.
struct MemoryOrder {
  std::vector<int64_t> sizes;
  std::vector<int64_t> places;
  bool is_row_major = true;
};

// The i-th dimension in memory order, minor to major.
size_t InMemory(const hlo::Shape& shape, size_t i) {
  const bool has_layout = shape.minor_to_major.size() == shape.dimensions.size();
  return has_layout ? static_cast<size_t>(shape.minor_to_major[i]) : shape.dimensions.size() - 1 - i;
}

MemoryOrder OrderInMemory(const hlo::Shape& shape) {
  std::vector<int64_t> place(shape.dimensions.size(), -1);
  int64_t next = 0;
  for (size_t d = 0; d < shape.dimensions.size(); ++d) {
    if (shape.dimensions[d] != 1) place[d] = next++;
  }
  MemoryOrder order;
  for (size_t i = 0; i < shape.dimensions.size(); ++i) {
    const size_t d = InMemory(shape, i);
    if (place[d] < 0) continue;
    order.is_row_major &= order.places.empty() || order.places.back() > place[d];
    order.sizes.push_back(shape.dimensions[d]);
    order.places.push_back(place[d]);
  }
  return order;
}

// The row-major shape with the same elements at the same places in memory, given as a transpose of the original shape.
struct Flattened {
  std::vector<int64_t> dims;
  std::vector<int64_t> permutation;
};

Flattened Flatten(const hlo::Shape& shape) {
  Flattened flat;
  for (size_t i = shape.dimensions.size(); i-- > 0;) {
    const size_t d = InMemory(shape, i);
    flat.dims.push_back(shape.dimensions[d]);
    flat.permutation.push_back(static_cast<int64_t>(d));
  }
  return flat;
}

// Nothing if it is not a permutation.
std::optional<std::vector<int64_t>> Inverse(const Dims& permutation) {
  std::vector<int64_t> inverse(permutation.size(), -1);
  for (size_t i = 0; i < permutation.size(); ++i) {
    const int64_t d = permutation[i];
    if (d < 0 || d >= static_cast<int64_t>(permutation.size()) || inverse[d] >= 0) return std::nullopt;
    inverse[d] = static_cast<int64_t>(i);
  }
  return inverse;
}

// The span of one side of a row layout (the rows or the columns) in the result of a transpose.
struct Side {
  int64_t last = -1;  // last dimension of the operand
  int begin = -1;
  int end = 0;  // 0: empty
};

// Row layout of a transpose's result with dimensions `to`. Also fails if these do not match the operand's dimensions.
std::optional<RowLayout> TransposedRowLayout(const Dims& from, const RowLayout& fold, const Dims& permutation,
                                             const Dims& to) {
  const auto after = RowLayoutAfterTranspose(from, fold, permutation);
  return after ? RowLayoutWithExtent(to, ExtentAt(from, fold), after->columns_first) : std::nullopt;
}

}  // namespace

std::optional<RowLayout> RowLayoutAfterTranspose(const Dims& from, const RowLayout& fold, const Dims& permutation) {
  if (permutation.size() != from.size()) return std::nullopt;
  Side rows, columns;
  for (int i = 0; i < static_cast<int>(permutation.size()); ++i) {
    const int64_t source = permutation[i];
    if (source < 0 || source >= static_cast<int64_t>(from.size())) return std::nullopt;
    if (from[source] == 1) continue;
    Side& side = fold.IsRow(static_cast<int>(source)) ? rows : columns;
    if (source <= side.last) return std::nullopt;  // their order changes
    side.last = source;
    if (side.end == 0) side.begin = i;
    side.end = i + 1;
  }
  if (rows.end == 0 || columns.end == 0 || rows.end <= columns.begin) return RowLayout{rows.end, false};
  if (columns.end <= rows.begin) return RowLayout{columns.end, true};
  return std::nullopt;
}

bool BitcastReshapes(const hlo::Shape& from, const hlo::Shape& to) {
  const MemoryOrder a = OrderInMemory(from);
  const MemoryOrder b = OrderInMemory(to);
  return (a.is_row_major && b.is_row_major) || (a.sizes == b.sizes && a.places == b.places);
}

// Any bitcast is a transpose to memory order, a row-major reshape, and a transpose from the result's memory order.
std::optional<RowLayout> RowLayoutAfterBitcast(const hlo::Shape& from, const RowLayout& fold, const hlo::Shape& to) {
  if (BitcastReshapes(from, to)) return RowLayoutAfterReshape(from.dimensions, fold, to.dimensions);
  if (!from.is_plain || !to.is_plain) return std::nullopt;
  const Flattened before = Flatten(from);
  const Flattened after = Flatten(to);
  const auto back = Inverse(after.permutation);
  const auto in_memory = RowLayoutAfterTranspose(from.dimensions, fold, before.permutation);
  if (!in_memory || !back) return std::nullopt;
  const auto reshaped = RowLayoutAfterReshape(before.dims, *in_memory, after.dims);
  return reshaped ? RowLayoutAfterTranspose(after.dims, *reshaped, *back) : std::nullopt;
}

Decision<RowLayout> RowLayoutAfterMove(const Graph& graph, Node move, const RowLayout& fold) {
  const hlo::Instruction& instruction = graph.at(move);
  const hlo::Shape& from = *graph.at(graph.operand(move, 0)).shape;
  const hlo::Shape& to = *instruction.shape;
  if (from.element_type != to.element_type) return Refuse<ReasonId::kBitcastChangesType>();
  if (instruction.opcode == Opcode::kTranspose) {
    const auto after = TransposedRowLayout(from.dimensions, fold, instruction.dimensions, to.dimensions);
    if (!after) return Refuse<ReasonId::kMovesRows>();
    return *after;
  }
  if (instruction.opcode == Opcode::kBitcast && !BitcastReshapes(from, to)) {
    const auto after = RowLayoutAfterBitcast(from, fold, to);
    if (!after) return Refuse<ReasonId::kBitcastChangesLayout>();
    return *after;
  }
  const auto after = RowLayoutAfterReshape(from.dimensions, fold, to.dimensions);
  if (!after) {
    return Refuse<ReasonId::kMixesRowsAndWidth>(instruction.opcode_name, from.ToString(), to.ToString());
  }
  return *after;
}

std::optional<RowLayout> RowLayoutBeforeMove(const Graph& graph, Node move, const RowLayout& fold) {
  const hlo::Instruction& instruction = graph.at(move);
  const hlo::Shape& from = *graph.at(graph.operand(move, 0)).shape;
  const hlo::Shape& to = *instruction.shape;
  if (from.element_type != to.element_type) return std::nullopt;  // a bitcast changes the type
  if (instruction.opcode == Opcode::kTranspose) {
    const auto back = Inverse(instruction.dimensions);
    return back ? TransposedRowLayout(to.dimensions, fold, *back, from.dimensions) : std::nullopt;
  }
  if (instruction.opcode == Opcode::kBitcast) return RowLayoutAfterBitcast(to, fold, from);
  return RowLayoutAfterReshape(to.dimensions, fold, from.dimensions);
}

}  // namespace jax_oneshot
