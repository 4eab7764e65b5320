// SPDX-License-Identifier: Apache-2.0
// Implementation of slices_apart.h.
#include "xla_pass/rewrite/slices_apart.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

constexpr int kMostMoves = 8;  // longer chains do not occur

bool MovesOnly(Opcode opcode) {
  return opcode == Opcode::kReshape || opcode == Opcode::kBitcast || opcode == Opcode::kCopy ||
         opcode == Opcode::kGetTupleElement;
}

bool IsWrittenIntoSliceWithin(const Graph& graph, Node result, int moves) {
  if (moves == 0) return false;
  for (const Node user : graph.users(result)) {
    const Opcode opcode = graph.at(user).opcode;
    if (opcode == Opcode::kDynamicUpdateSlice) return true;
    if (MovesOnly(opcode) && IsWrittenIntoSliceWithin(graph, user, moves - 1)) return true;
  }
  return false;
}

}  // namespace

bool ReadsSlice(const Graph& graph, Node operand) {
  Node node = operand;
  for (int moves = 0; moves < kMostMoves && MovesOnly(graph.at(node).opcode) && graph.operand_count(node) > 0;
       ++moves) {
    node = graph.operand(node, 0);
  }
  const Opcode opcode = graph.at(node).opcode;
  return opcode == Opcode::kSlice || opcode == Opcode::kDynamicSlice;
}

bool IsWrittenIntoSlice(const Graph& graph, Node result) { return IsWrittenIntoSliceWithin(graph, result, kMostMoves); }

}  // namespace jax_oneshot
