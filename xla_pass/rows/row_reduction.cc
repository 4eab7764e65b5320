// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rows/row_reduction.h"

#include <cmath>
#include <string>

#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

using hlo::Opcode;

Decision<Op> RowReductionOp(const Graph& graph, Node reduce) {
  const hlo::Instruction& instruction = graph.at(reduce);
  if (graph.operand_count(reduce) != 2 || instruction.called_computations.size() != 1) {
    return Refuse<ReasonId::kSeveralValues>(instruction.opcode_name);
  }
  switch (ClassifyReducer(graph.module().computations[instruction.called_computations[0]])) {
    case Reducer::kSum:
      return Op::kReduceSum;
    case Reducer::kMax:
      return Op::kReduceMax;
    case Reducer::kMin:
      return Op::kReduceMin;
    case Reducer::kOther:
      break;
  }
  return Refuse<ReasonId::kUnsupportedReduction>();
}

Op CombiningOp(Op reduction) {
  if (reduction == Op::kReduceSum) return Op::kAdd;
  return reduction == Op::kReduceMax ? Op::kMaximum : Op::kMinimum;
}

Reducer ReducerOf(Op reduction) {
  if (reduction == Op::kReduceSum) return Reducer::kSum;
  return reduction == Op::kReduceMax ? Reducer::kMax : Reducer::kMin;
}

double IdentityOf(Op reduction) {
  if (reduction == Op::kReduceSum) return 0;
  return reduction == Op::kReduceMax ? -HUGE_VAL : HUGE_VAL;
}

Decision<double> InitialValue(const Graph& graph, Node reduce) {
  Node node = graph.operand(reduce, 1);
  for (Node outer = graph.Outer(node); outer != kNoNode; outer = graph.Outer(node)) node = outer;
  const hlo::Instruction& initial = graph.at(node);
  if (initial.opcode != Opcode::kConstant) return Refuse<ReasonId::kInitialNotConstant>();
  Result<double> number = ScalarLiteral(initial);
  if (!number) return Refuse<ReasonId::kInitialNotConstant>();
  return *number;
}

Decision<void> CheckWindows(const Graph& graph, Node reduce_window, const RowLayout& fold) {
  const hlo::Instruction& instruction = graph.at(reduce_window);
  const Dims from = graph.at(graph.operand(reduce_window, 0)).shape->dimensions;
  const auto window = DecodeWindow(instruction);
  if (!window || window->size() != from.size() || instruction.shape->dimensions.size() != from.size())
    return Refuse<ReasonId::kUnreadableWindow>();
  for (int i = 0; i < static_cast<int>(from.size()); ++i) {
    const hlo::WindowDimension& w = (*window)[i];
    const bool tiles = w.size == w.stride && w.window_dilation == 1 && w.base_dilation == 1 && !w.reversed &&
                       w.padding_low >= 0 && w.padding_high >= 0 &&
                       w.padding_low + from[i] + w.padding_high == w.size * instruction.shape->dimensions[i];
    const bool leaves_rows_alone = w.size == 1 && w.padding_low == 0 && w.padding_high == 0;
    if (!tiles || (fold.IsRow(i) && !leaves_rows_alone)) return Refuse<ReasonId::kWindowNotTiling>();
  }
  return {};
}

}  // namespace jax_oneshot
