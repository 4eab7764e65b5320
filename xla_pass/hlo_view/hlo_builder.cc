// SPDX-License-Identifier: Apache-2.0
// Implementation of hlo_builder.h.
#include "xla_pass/hlo_view/hlo_builder.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {

using wire::Writer;

std::string TestShape(PrimitiveType type, const std::vector<int64_t>& dimensions,
                      const std::vector<int64_t>& minor_to_major) {
  std::vector<int64_t> order = minor_to_major;
  if (order.empty()) {
    for (size_t d = dimensions.size(); d-- > 0;) order.push_back(static_cast<int64_t>(d));
  }
  return Writer()
      .Integer(fields::shape::kElementType, static_cast<int64_t>(type))
      .Packed(fields::shape::kDimensions, dimensions)
      .Bytes(fields::shape::kLayout, Writer().Packed(fields::layout::kMinorToMajor, order).str())
      .Take();
}

std::string TestInstruction::Encode() const {
  namespace field = fields::hlo_instruction;
  return Writer()
      .Bytes(field::kName, name)
      .Bytes(field::kOpcode, opcode)
      .Bytes(field::kShape, shape)
      .Integer(field::kId, id)
      .Packed(field::kOperandIds, operands)
      .Packed(field::kControlPredecessorIds, control_predecessors)
      .Packed(field::kCalledComputationIds, called_computations)
      .Verbatim(more)
      .Take();
}

TestInstruction TestParameter(int64_t id, int64_t number) {
  TestInstruction parameter;
  parameter.id = id;
  parameter.name = "p" + std::to_string(number);
  parameter.opcode = "parameter";
  parameter.more = Writer().Integer(fields::hlo_instruction::kParameterNumber, number).Take();
  return parameter;
}

std::string TestComputation::Encode() const {
  namespace field = fields::hlo_computation;
  Writer out;
  out.Bytes(field::kName, name);
  for (const TestInstruction& instruction : instructions) out.Bytes(field::kInstructions, instruction.Encode());
  return out.Integer(field::kId, id).Integer(field::kRootId, root_id).Take();
}

std::string BuildTestModule(const std::vector<TestComputation>& computations, int64_t entry_id) {
  namespace field = fields::hlo_module;
  Writer out;
  out.Bytes(field::kName, "hand");
  for (const TestComputation& computation : computations) out.Bytes(field::kComputations, computation.Encode());
  return out.Integer(field::kEntryComputationId, entry_id).Take();
}

}  // namespace jax_oneshot::hlo
