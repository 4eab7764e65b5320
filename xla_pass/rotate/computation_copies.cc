// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/computation_copies.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/rewrite/changed_bytes.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {

std::vector<int64_t> ComputationCopies::CopyCalled(const hlo::Instruction& caller) {
  std::vector<int64_t> ids;
  for (const int callee : caller.called_computations) ids.push_back(Copy(module_.computations[callee]));
  return ids;
}

// Callees come before their callers, so the recursion ends.
int64_t ComputationCopies::Copy(const hlo::Computation& computation) {
  namespace field = hlo::fields::hlo_computation;
  const int64_t id = ids_.Computation();
  std::vector<int64_t> new_ids;  // by instruction
  std::vector<std::string> instructions;
  for (const hlo::Instruction& instruction : computation.instructions) {
    new_ids.push_back(ids_.InstructionIn(id, instruction.id));
    InstructionChanges changes;
    changes.name = ids_.Name("copy");
    changes.id = new_ids.back();
    changes.operand_ids.emplace();
    for (const int operand : instruction.operands) changes.operand_ids->push_back(new_ids[operand]);
    changes.control_predecessor_ids.emplace();
    for (const int before : instruction.control_predecessors) {
      changes.control_predecessor_ids->push_back(new_ids[before]);
    }
    if (!instruction.called_computations.empty()) changes.called_ids = CopyCalled(instruction);
    instructions.push_back(ChangedBytes(instruction, changes));
  }
  wire::Writer out;
  out.Bytes(field::kName, std::string(computation.name) + "." + ids_.Name("copy"));
  for (const std::string& instruction : instructions) out.Bytes(field::kInstructions, instruction);
  wire::Reader reader(computation.bytes);
  wire::Field f;
  while (reader.Next(&f)) {
    const bool is_new = f.number == field::kName || f.number == field::kInstructions || f.number == field::kId ||
                        f.number == field::kRootId;
    if (!is_new) out.Verbatim(f.bytes);
  }
  out.Integer(field::kId, id).Integer(field::kRootId, new_ids[computation.root]);
  copies_.push_back(out.Take());
  return id;
}

}  // namespace jax_oneshot
