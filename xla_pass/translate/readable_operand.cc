// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/translate/readable_operand.h"

#include "xla_pass/rows/row_moves.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsPromotion(const Graph& graph, Node node) {
  const hlo::Instruction& instruction = graph.at(node);
  if (instruction.opcode != Opcode::kConvert || graph.operand_count(node) != 1 ||
      instruction.shape->element_type != hlo::PrimitiveType::kF32)
    return false;
  const Decision<DType> from = ToDType(graph.at(graph.operand(node, 0)).shape->element_type);
  return from && (*from == DType::kBF16 || *from == DType::kF16);
}

bool IsLayoutChange(const Graph& graph, Node node) {
  if (graph.operand_count(node) != 1) return false;
  const hlo::Shape& to = *graph.at(node).shape;
  if (graph.at(node).opcode != Opcode::kBitcast) return graph.at(node).opcode == Opcode::kCopy;
  const hlo::Shape& from = *graph.at(graph.operand(node, 0)).shape;
  return from.element_type == to.element_type && BitcastReshapes(from, to);
}

}  // namespace

Node ReadableOperand(const Graph& graph, const DependencyOrder& order, const OverwrittenValues* overwritten,
                     Node operand) {
  constexpr int kMaxSteps = 16;
  const int computation = graph.computation_index(operand);
  const auto is_row_major = [&](Node node) {
    return graph.at(node).shape->is_plain && graph.at(node).shape->IsRowMajor();
  };
  Node node = operand;
  bool is_read_here_only = true;
  for (int step = 0; step < kMaxSteps; ++step) {
    if (graph.computation_index(node) == computation) {
      // Whoever overwrites the buffer runs after all that is skipped, so after the call if nothing else reads that.
      if (!is_read_here_only && overwritten != nullptr && overwritten->MayBeOverwritten(node)) break;
      is_read_here_only = is_read_here_only && graph.users(node).size() == 1 && !graph.is_root(node);
      if (is_row_major(node) || !is_row_major(operand)) operand = node;
      if (order.region(node) >= 0) break;
    }
    const int fused = graph.fused_computation(node);
    if (const Node outer = graph.Outer(node); outer != kNoNode) {
      node = outer;
    } else if (fused >= 0 && graph.operand_count(node) == 1) {
      node = graph.root(fused);
    } else if (IsLayoutChange(graph, node) || IsPromotion(graph, node)) {
      node = graph.operand(node, 0);
    } else {
      break;
    }
  }
  return operand;
}

}  // namespace jax_oneshot
