// In:  the bytes of one HloInstructionProto. Out: an Instruction whose references are still ids.
#ifndef XLA_PASS_HLO_VIEW_PARSE_INSTRUCTION_H_
#define XLA_PASS_HLO_VIEW_PARSE_INSTRUCTION_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "ffi_kernels/base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot::hlo {

// The ids an instruction refers to, as the proto has them.
struct InstructionReferences {
  std::vector<int64_t> operands, control_predecessors, called_computations;
};

Result<void> ParseInstruction(std::string_view bytes, Instruction* instruction, InstructionReferences* references);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_PARSE_INSTRUCTION_H_
