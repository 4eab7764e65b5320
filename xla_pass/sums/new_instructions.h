// Ids and names for instructions that a stage adds to a module.
#ifndef XLA_PASS_SUMS_NEW_INSTRUCTIONS_H_
#define XLA_PASS_SUMS_NEW_INSTRUCTIONS_H_

#include <cstdint>
#include <map>
#include <string>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/rewrite/new_names.h"

namespace jax_oneshot {

class NewInstructions {
 public:
  explicit NewInstructions(const hlo::Module& module)
      : module_(module), next_id_(module.max_instruction_id + 1), next_name_(FirstFreeNumber(module)) {}

  InstructionIdentity Next(const hlo::Computation& computation) {
    std::string name(kNewName);
    name.append("_sum.").append(std::to_string(next_name_++));
    if (!module_.HasIdsPerComputation()) return {std::move(name), next_id_++, {}};
    int64_t& next = next_in_.emplace(computation.index, computation.max_instruction_id + 1).first->second;
    return {std::move(name), next++, {}};
  }

 private:
  const hlo::Module& module_;
  int64_t next_id_;
  int64_t next_name_;
  std::map<int, int64_t> next_in_;  // by computation
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_NEW_INSTRUCTIONS_H_
