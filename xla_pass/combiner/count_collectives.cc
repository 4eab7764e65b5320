// SPDX-License-Identifier: Apache-2.0
// Implementation of count_collectives.h.
#include "xla_pass/combiner/count_collectives.h"

#include <algorithm>
#include <vector>

#include "ffi_kernels/call_attributes.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsCall(const hlo::Instruction& instruction) {
  return instruction.opcode == Opcode::kCustomCall && IsCallTarget(instruction.custom_call_target());
}

}  // namespace

bool IsCollective(Opcode opcode) {
  switch (opcode) {
    case Opcode::kAllReduce:
    case Opcode::kAllReduceStart:
    case Opcode::kAllGather:
    case Opcode::kAllGatherStart:
    case Opcode::kReduceScatter:
    case Opcode::kAllToAll:
    case Opcode::kCollectivePermute:
    case Opcode::kCollectivePermuteStart:
    case Opcode::kCollectiveBroadcast:
      return true;
    default:
      return false;
  }
}

int64_t CountCollectives(const hlo::Computation& computation) {
  const auto& instructions = computation.instructions;
  return std::count_if(instructions.begin(), instructions.end(), [](const hlo::Instruction& instruction) {
    return IsCollective(instruction.opcode) || IsCall(instruction);
  });
}

int64_t CountCollectives(const hlo::Module& module) {
  int64_t count = 0;
  for (const hlo::Computation& computation : module.computations) count += CountCollectives(computation);
  return count;
}

int64_t CountCombined(const Graph& graph, int computation, const CombineLimits& limits) {
  const hlo::Computation& in = graph.module().computations[computation];
  if (CountCollectives(in) < 2) return CountCollectives(in);
  StepBudget steps(StepsFor(static_cast<int64_t>(in.instructions.size())));
  const std::vector<int> combined = CombinedCollectives(graph, computation, limits, &steps);
  int64_t count = 1 + *std::max_element(combined.begin(), combined.end());
  for (size_t i = 0; i < combined.size(); ++i) {
    const hlo::Instruction& instruction = in.instructions[i];
    count += static_cast<int64_t>(combined[i] < 0 && (IsCollective(instruction.opcode) || IsCall(instruction)));
  }
  return count;
}

int64_t CountCombined(const hlo::Module& module, const CombineLimits& limits) {
  if (limits.bytes == 0) return CountCollectives(module);
  const Graph graph(module);
  int64_t count = 0;
  for (const hlo::Computation& computation : module.computations) {
    count += CountCombined(graph, computation.index, limits);
  }
  return count;
}

}  // namespace jax_oneshot
