// SPDX-License-Identifier: Apache-2.0
// Follows a row layout through a reshape, copy, transpose or bitcast, or says why rows do not stay whole.
//
//   transpose([8,1,512] {1}, {2,0,1}) -> [512,8,1] {1, columns_first}      only renames dimensions
//   transpose([2,4,512] {2}, {1,0,2}) -> none                              rows change their order
//   bitcast([8,512]{0,1} {1}) -> [512,8]{1,0} {1, columns_first}           a transpose that moves nothing in memory
#ifndef XLA_PASS_ROWS_ROW_MOVES_H_
#define XLA_PASS_ROWS_ROW_MOVES_H_

#include <optional>

#include "xla_pass/graph/graph.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// RowLayoutAfterMove: the row layout of the result, given that of the operand. RowLayoutBeforeMove: the reverse. The
// move has one operand.
Decision<RowLayout> RowLayoutAfterMove(const Graph& graph, Node move, const RowLayout& fold);
std::optional<RowLayout> RowLayoutBeforeMove(const Graph& graph, Node move, const RowLayout& fold);

std::optional<RowLayout> RowLayoutAfterTranspose(const Dims& from, const RowLayout& fold, const Dims& permutation);

std::optional<RowLayout> RowLayoutAfterBitcast(const hlo::Shape& from, const RowLayout& fold, const hlo::Shape& to);

// True if a bitcast acts as a reshape: both layouts are row-major, or only dimensions of size one are added or removed.
bool BitcastReshapes(const hlo::Shape& from, const hlo::Shape& to);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROWS_ROW_MOVES_H_
