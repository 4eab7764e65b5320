// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/movable.h"

#include <algorithm>

#include "xla_pass/graph/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsReduction(Opcode opcode) { return opcode == Opcode::kReduce || opcode == Opcode::kReduceWindow; }

bool IsMovableCollective(Opcode opcode) { return opcode == Opcode::kAllReduce || opcode == Opcode::kAllGather; }

bool IsPureRead(Opcode opcode) {
  return opcode == Opcode::kConstant || opcode == Opcode::kIota || opcode == Opcode::kSlice ||
         opcode == Opcode::kDynamicSlice || opcode == Opcode::kGather || opcode == Opcode::kPartitionId ||
         opcode == Opcode::kReplicaId;
}

bool IsPureMath(Opcode opcode) {
  return ElementwiseOp(opcode).has_value() || IsMove(opcode) || opcode == Opcode::kBroadcast || IsReduction(opcode);
}

// True if its callees call nothing themselves, like reducers: a copy of them is small.
bool CallsLeavesOnly(const hlo::Module& module, const hlo::Instruction& instruction) {
  const Span<int> called = instruction.called_computations;
  return std::all_of(called.begin(), called.end(), [&](int callee) {
    const auto& instructions = module.computations[callee].instructions;
    return std::all_of(instructions.begin(), instructions.end(),
                       [](const hlo::Instruction& inner) { return inner.called_computations.empty(); });
  });
}

bool IsPureInFusion(Opcode opcode) {
  return IsPureMath(opcode) || IsPureRead(opcode) || opcode == Opcode::kParameter || opcode == Opcode::kTuple ||
         opcode == Opcode::kGetTupleElement;
}

}  // namespace

Movable::Movable(const Graph& graph) : graph_(graph), fused_(graph.module().computations.size()) {}

bool Movable::operator()(Node node) {
  if (graph_.has_control_edges(node)) return false;
  const Opcode opcode = graph_.at(node).opcode;
  if (opcode == Opcode::kFusion) {
    const int fused = graph_.fused_computation(node);
    return fused >= 0 && Look(fused).is_movable;
  }
  const bool is_pure =
      IsPureMath(opcode) || IsPureRead(opcode) || opcode == Opcode::kGetTupleElement || IsMovableCollective(opcode);
  return is_pure && CallsLeavesOnly(graph_.module(), graph_.at(node));
}

bool Movable::IsCostly(Node node) {
  const int fused = graph_.fused_computation(node);
  const Opcode opcode = graph_.at(node).opcode;
  return fused >= 0 ? Look(fused).is_costly : IsReduction(opcode) || IsMovableCollective(opcode);
}

const Movable::Fused& Movable::Look(int computation) {
  Fused& fused = fused_[computation];
  if (fused.is_known) return fused;
  const auto& instructions = graph_.module().computations[computation].instructions;
  const auto has = [&](auto condition) {
    return std::any_of(instructions.begin(), instructions.end(),
                       [&](const hlo::Instruction& instruction) { return condition(instruction); });
  };
  fused.is_known = true;
  fused.is_movable = !has([&](const hlo::Instruction& instruction) {
    return !IsPureInFusion(instruction.opcode) || !CallsLeavesOnly(graph_.module(), instruction);
  });
  fused.is_costly = has([](const hlo::Instruction& instruction) { return IsReduction(instruction.opcode); });
  return fused;
}

}  // namespace jax_oneshot
