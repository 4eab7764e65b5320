// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: ParseModule on arbitrary bytes, and the accessors of the parsed module.
//
//   bazel build --config=fuzz //xla_pass/hlo_view:parse_fuzz && build/bazel-bin/xla_pass/hlo_view/parse_fuzz tests/data
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/hlo_view/replica_groups.h"

namespace jax_oneshot::hlo {
namespace {

// abort() is how a fuzz target reports a finding.
void Require(bool holds) {
  if (!holds) std::abort();
}

void LookUpEverything(const Instruction& instruction) {
  Require(instruction.shape != nullptr);
  (void)instruction.shape->ToString();
  (void)instruction.shape->IsRowMajor();
  (void)instruction.shape->ElementCount();
  (void)instruction.metadata();
  (void)instruction.custom_call_target();
  (void)instruction.comparison_direction();
  (void)instruction.is_total_order();
  if (instruction.opcode == Opcode::kConstant) {
    (void)ScalarLiteral(instruction);
    (void)IntegerLiteral(instruction);
  }
  if (instruction.opcode == Opcode::kReduceWindow) (void)DecodeWindow(instruction);
  if (instruction.opcode == Opcode::kAllReduce) (void)DecodeReplicaGroups(instruction);
}

void CheckInstruction(const Module& module, const Computation& computation, int position) {
  const Instruction& instruction = computation.instructions[position];
  for (int operand : instruction.operands) Require(operand >= 0 && operand < position);
  for (int predecessor : instruction.control_predecessors) Require(predecessor >= 0 && predecessor < position);
  for (int callee : instruction.called_computations) Require(callee >= 0 && callee < computation.index);
  Require(instruction.id <= module.max_instruction_id);
  LookUpEverything(instruction);
}

}  // namespace
}  // namespace jax_oneshot::hlo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jax_oneshot::hlo;  // NOLINT: an entry point of C
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)MayContainOpcode(bytes, "all-reduce");
  const auto module = ParseModule(bytes);
  if (!module) return 0;
  Require(module->entry >= 0 && module->entry < static_cast<int>(module->computations.size()));
  for (const Computation& computation : module->computations) {
    const int count = static_cast<int>(computation.instructions.size());
    Require(computation.root >= 0 && computation.root < count);
    for (int i = 0; i < count; ++i) CheckInstruction(*module, computation, i);
  }
  return 0;
}
