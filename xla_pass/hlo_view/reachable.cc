// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/hlo_view/reachable.h"

namespace jax_oneshot {
namespace {

bool RunsItsCallees(hlo::Opcode opcode) {
  return opcode == hlo::Opcode::kWhile || opcode == hlo::Opcode::kConditional || opcode == hlo::Opcode::kCall;
}

}  // namespace

std::vector<ReachableComputation> FindReachable(const hlo::Module& module) {
  std::vector<ReachableComputation> found = {{module.entry, false}};
  std::vector<int> position(module.computations.size(), -1);
  position[module.entry] = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const ReachableComputation caller = found[i];
    for (const hlo::Instruction& instruction : module.computations[caller.computation].instructions) {
      if (!RunsItsCallees(instruction.opcode)) continue;
      const bool in_loop = caller.in_loop || instruction.opcode == hlo::Opcode::kWhile;
      for (int callee : instruction.called_computations) {
        if (position[callee] < 0) {
          position[callee] = static_cast<int>(found.size());
          found.push_back({callee, in_loop});
        } else if (in_loop && !found[position[callee]].in_loop) {
          // Also called from a loop: visit it again, so that it and its callees are reported as in a loop.
          position[callee] = static_cast<int>(found.size());
          found.push_back({callee, true});
        }
      }
    }
  }
  std::vector<ReachableComputation> unique;
  for (size_t i = 0; i < found.size(); ++i) {
    if (position[found[i].computation] == static_cast<int>(i)) unique.push_back(found[i]);
  }
  return unique;
}

}  // namespace jax_oneshot
