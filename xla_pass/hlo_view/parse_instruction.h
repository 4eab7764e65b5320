// SPDX-License-Identifier: Apache-2.0
// Parses one HloInstructionProto; references by id are returned separately and resolved later.
#ifndef XLA_PASS_HLO_VIEW_PARSE_INSTRUCTION_H_
#define XLA_PASS_HLO_VIEW_PARSE_INSTRUCTION_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/instruction.h"
#include "xla_pass/hlo_view/shape_table.h"

namespace jax_oneshot::hlo {

// The unresolved lists of all instructions of a computation, concatenated.
struct InstructionLists {
  std::vector<int64_t> operand_ids, control_predecessor_ids, called_computation_ids, dimensions;

  void Clear() {
    for (auto* list : {&operand_ids, &control_predecessor_ids, &called_computation_ids, &dimensions}) list->clear();
  }
};

// Fills everything but operands, control_predecessors, called_computations and dimensions; appends those to *lists.
Result<void> ParseInstruction(std::string_view bytes, ShapeTable* shapes, Instruction* instruction,
                              InstructionLists* lists);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_PARSE_INSTRUCTION_H_
