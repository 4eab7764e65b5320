// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/linear_step.h"

#include "xla_pass/graph/op_table.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/rows/row_reduction.h"
#include "xla_pass/sums/float_types.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// True if `value` is operand `position` and no other operand.
bool ReadsOnlyAt(const Graph& graph, Node node, Node value, int position) {
  for (int i = 0; i < graph.operand_count(node); ++i) {
    if ((graph.operand(node, i) == value) != (i == position)) return false;
  }
  return position < graph.operand_count(node);
}

bool ReadsOnce(const Graph& graph, Node node, Node value) {
  int reads = 0;
  for (int i = 0; i < graph.operand_count(node); ++i) reads += graph.operand(node, i) == value;
  return reads == 1;
}

bool IsSumFromZero(const Graph& graph, Node reduce) {
  const hlo::Instruction& instruction = graph.at(reduce);
  if (graph.operand_count(reduce) != 2 || instruction.called_computations.size() != 1) return false;
  const auto& computation = graph.module().computations[instruction.called_computations[0]];
  if (ClassifyReducer(computation) != Reducer::kSum) return false;
  const Decision<double> initial = InitialValue(graph, reduce);
  return initial && *initial == 0;
}

std::optional<StepKind> KindOf(const Graph& graph, Node node, Node value) {
  const hlo::Instruction& instruction = graph.at(node);
  const bool keeps_type = instruction.shape->element_type == graph.at(value).shape->element_type;
  const auto if_true = [](bool holds, StepKind kind) { return holds ? std::optional(kind) : std::nullopt; };
  switch (instruction.opcode) {
    case Opcode::kBroadcast:
    case Opcode::kSlice:
    case Opcode::kGather:
    case Opcode::kDynamicSlice:
      return if_true(keeps_type && ReadsOnlyAt(graph, node, value, 0), StepKind::kMove);
    case Opcode::kNegate:
      return StepKind::kMove;
    case Opcode::kConvert:
      return if_true(IsFloat(instruction.shape->element_type), StepKind::kConvert);
    case Opcode::kMultiply:
      return if_true(ReadsOnce(graph, node, value), StepKind::kArithmetic);
    case Opcode::kDivide:
      return if_true(ReadsOnlyAt(graph, node, value, 0), StepKind::kArithmetic);
    case Opcode::kReduce:
      return if_true(ReadsOnlyAt(graph, node, value, 0) && IsSumFromZero(graph, node), StepKind::kReduction);
    case Opcode::kDot:
      return if_true(ReadsOnce(graph, node, value), StepKind::kProduct);
    default:
      return if_true(IsMove(instruction.opcode) && keeps_type, StepKind::kMove);
  }
}

}  // namespace

std::optional<StepKind> LinearStep(const Graph& graph, Node node, Node value,
                                   const std::function<bool(Node)>& is_same) {
  if (graph.at(node).shape->IsTuple() || !graph.at(node).shape->is_plain || graph.has_control_edges(node)) {
    return std::nullopt;
  }
  if (!IsFloat(graph.at(value).shape->element_type) || !IsFloat(graph.at(node).shape->element_type)) {
    return std::nullopt;
  }
  const std::optional<StepKind> kind = KindOf(graph, node, value);
  if (!kind) return std::nullopt;
  for (int i = 0; i < graph.operand_count(node); ++i) {
    const Node operand = graph.operand(node, i);
    if (operand != value && !is_same(operand)) return std::nullopt;
  }
  return kind;
}

}  // namespace jax_oneshot
