// SPDX-License-Identifier: Apache-2.0
// Recognizes a reduce or reduce-window as a row reduction, and checks its initial value and windows.
#ifndef XLA_PASS_ROWS_ROW_REDUCTION_H_
#define XLA_PASS_ROWS_ROW_REDUCTION_H_

#include "row_program/row_program.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// Classified by the reduction computation. Fails for variadic reductions.
Decision<Op> RowReductionOp(const Graph& graph, Node reduce);

Op CombiningOp(Op reduction);     // reduce_sum -> add
Reducer ReducerOf(Op reduction);  // reduce_sum -> Reducer::kSum
double IdentityOf(Op reduction);  // reduce_sum -> 0

// The constant initial value of a reduction.
Decision<double> InitialValue(const Graph& graph, Node reduce);

// Accepts only windows that tile the row and cover each element once, as XLA:CPU emits for row reductions.
Decision<void> CheckWindows(const Graph& graph, Node reduce_window, const RowLayout& fold);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROWS_ROW_REDUCTION_H_
