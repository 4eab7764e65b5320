// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/graph/reducer.h"

namespace jax_oneshot {
namespace {

// Skips converts, copies and bitcasts.
const hlo::Instruction& SkipMoves(const hlo::Computation& computation, const hlo::Instruction* instruction) {
  while ((instruction->opcode == hlo::Opcode::kConvert || instruction->opcode == hlo::Opcode::kCopy ||
          instruction->opcode == hlo::Opcode::kBitcast) &&
         instruction->operands.size() == 1) {
    instruction = &computation.instructions[instruction->operands[0]];
  }
  return *instruction;
}

}  // namespace

Reducer ClassifyReducer(const hlo::Computation& computation) {
  if (computation.parameters.size() != 2) return Reducer::kOther;
  const hlo::Instruction& root = SkipMoves(computation, &computation.instructions[computation.root]);
  if (root.operands.size() != 2) return Reducer::kOther;
  const hlo::Instruction& a = SkipMoves(computation, &computation.instructions[root.operands[0]]);
  const hlo::Instruction& b = SkipMoves(computation, &computation.instructions[root.operands[1]]);
  if (a.opcode != hlo::Opcode::kParameter || b.opcode != hlo::Opcode::kParameter || a.number == b.number) {
    return Reducer::kOther;
  }
  switch (root.opcode) {
    case hlo::Opcode::kAdd:
      return Reducer::kSum;
    case hlo::Opcode::kMaximum:
      return Reducer::kMax;
    case hlo::Opcode::kMinimum:
      return Reducer::kMin;
    default:
      return Reducer::kOther;
  }
}

}  // namespace jax_oneshot
