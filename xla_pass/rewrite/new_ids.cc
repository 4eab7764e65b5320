// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/new_ids.h"

#include <algorithm>

#include "xla_pass/rewrite/new_names.h"

namespace jax_oneshot {

NewIds::NewIds(const hlo::Module& module)
    : module_(module), next_instruction_(module.max_instruction_id + 1), next_name_(FirstFreeNumber(module)) {
  for (const hlo::Computation& computation : module.computations) {
    next_computation_ = std::max(next_computation_, computation.id + 1);
    for (const hlo::Instruction& instruction : computation.instructions) {
      next_channel_ = std::max(next_channel_, instruction.channel_id + 1);
    }
  }
}

int64_t NewIds::InstructionIn(const hlo::Computation& computation) {
  if (!module_.HasIdsPerComputation()) return next_instruction_++;
  return next_local_.emplace(computation.index, computation.max_instruction_id + 1).first->second++;
}

int64_t NewIds::InstructionIn(int64_t computation_id, int64_t original) {
  constexpr int64_t kWithinComputation = 0xffffffff;
  if (!module_.HasIdsPerComputation()) return next_instruction_++;
  return computation_id << 32 | (original & kWithinComputation);
}

std::string NewIds::Name(std::string_view what) {
  return std::string(kNewName).append("_").append(what).append(".").append(std::to_string(next_name_++));
}

}  // namespace jax_oneshot
