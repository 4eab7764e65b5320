// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/graph/overwritten_values.h"

#include <algorithm>

#include "xla_pass/hlo_view/donation.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// How many bitcasts and tuple elements are followed.
constexpr int kMaxDepth = 8;

// True for opcodes whose result never shares a buffer with an operand.
bool WritesItsOwn(Opcode opcode) {
  switch (opcode) {
    case Opcode::kBitcast:
    case Opcode::kReshape:
    case Opcode::kTuple:
    case Opcode::kGetTupleElement:
    case Opcode::kWhile:
    case Opcode::kConditional:
    case Opcode::kCall:
    case Opcode::kCustomCall:
    case Opcode::kDynamicUpdateSlice:
    case Opcode::kOptimizationBarrier:
    case Opcode::kOther:
      return false;
    default:
      return true;
  }
}

// True for fusions that may update an operand in place.
bool UpdatesInPlace(const Graph& graph, Node node) {
  const int fused = graph.fused_computation(node);
  if (fused < 0) return graph.at(node).opcode == Opcode::kFusion;
  const auto& instructions = graph.module().computations[fused].instructions;
  return std::any_of(instructions.begin(), instructions.end(), [](const hlo::Instruction& instruction) {
    return instruction.opcode == Opcode::kDynamicUpdateSlice || instruction.opcode == Opcode::kOther;
  });
}

bool IsView(Opcode opcode) {
  return opcode == Opcode::kBitcast || opcode == Opcode::kReshape || opcode == Opcode::kGetTupleElement;
}

}  // namespace

bool WritesItsOwnBuffer(const Graph& graph, Node node) {
  return WritesItsOwn(graph.at(node).opcode) && !UpdatesInPlace(graph, node);
}

OverwrittenValues::OverwrittenValues(const Graph& graph) : graph_(graph) {
  for (const hlo::DonatedParameter& donated : hlo::FindDonatedParameters(graph.module().bytes)) {
    donated_.insert(donated.parameter);
  }
}

bool OverwrittenValues::MayBeOverwritten(Node node) const {
  const bool is_entry = graph_.computation_index(node) == graph_.module().entry;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const hlo::Instruction& instruction = graph_.at(node);
    if (instruction.opcode == Opcode::kConstant) return false;
    if (instruction.opcode == Opcode::kParameter) {
      return !is_entry || donated_.count(instruction.number) != 0;
    }
    if (instruction.opcode == Opcode::kGetTupleElement && IsPassedThrough(node)) return false;
    if (HasWriter(node, 0)) return true;
    if (!IsView(instruction.opcode)) return !WritesItsOwnBuffer(graph_, node);
    node = graph_.operand(node, 0);
  }
  return true;
}

// Whether a user may write into the buffer.
bool OverwrittenValues::HasWriter(Node node, int depth) const {
  if (depth >= kMaxDepth) return true;
  const Span<Node> users = graph_.users(node);
  return std::any_of(users.begin(), users.end(), [&](Node user) {
    const Opcode opcode = graph_.at(user).opcode;
    if (IsView(opcode)) return HasWriter(user, depth + 1);
    if (opcode == Opcode::kTuple && graph_.is_root(user)) return false;  // it is the result, and nothing runs after it
    return !WritesItsOwnBuffer(graph_, user);
  });
}

// Whether it is an element of a loop's state that the loop's body returns as it is.
bool OverwrittenValues::IsPassedThrough(Node element) const { return graph_.BeforeLoop(element) != kNoNode; }

}  // namespace jax_oneshot
