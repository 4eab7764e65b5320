// SPDX-License-Identifier: Apache-2.0
// Implementation of parse_instruction.h.
#include "xla_pass/hlo_view/parse_instruction.h"

#include <string>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace field = fields::hlo_instruction;
using wire::Field;

void TakeInteger(const Field& f, Instruction* out) {
  const auto value = static_cast<int64_t>(f.integer);
  switch (f.number) {
    case field::kId:
      out->id = value;
      break;
    case field::kParameterNumber:
    case field::kTupleIndex:
      out->number = value;
      break;
    case field::kChannelId:
      out->channel_id = value;
      break;
    case field::kUseGlobalDeviceIds:
      out->use_global_device_ids = value != 0;
      break;
    default:
      break;
  }
}

// The list that a repeated integer field is appended to, or null.
std::vector<int64_t>* ListOf(uint32_t number, InstructionLists* lists) {
  switch (number) {
    case field::kOperandIds:
      return &lists->operand_ids;
    case field::kControlPredecessorIds:
      return &lists->control_predecessor_ids;
    case field::kCalledComputationIds:
      return &lists->called_computation_ids;
    case field::kDimensions:
      return &lists->dimensions;
    default:
      return nullptr;
  }
}

Result<void> TakeBytes(const Field& f, ShapeTable* shapes, Instruction* out) {
  if (f.number == field::kName) out->name = f.payload;
  if (f.number == field::kOpcode) {
    out->opcode_name = f.payload;
    out->opcode = ParseOpcode(f.payload);
  }
  if (f.number != field::kShape) return {};
  Result<const Shape*> shape = shapes->Find(f.payload);
  if (!shape) return Err(shape.error());
  out->shape = *shape;
  return {};
}

}  // namespace

Result<void> ParseInstruction(std::string_view bytes, ShapeTable* shapes, Instruction* instruction,
                              InstructionLists* lists) {
  instruction->bytes = bytes;
  wire::Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (std::vector<int64_t>* list = ListOf(f.number, lists)) {
      if (!AppendIntegers(f, list))
        return Err("a list of integers is malformed (field " + std::to_string(f.number) + ")");
    } else if (f.wire_type == wire::kVarint) {
      TakeInteger(f, instruction);
    } else if (f.wire_type == wire::kLengthDelimited) {
      if (Result<void> ok = TakeBytes(f, shapes, instruction); !ok) return ok;
    }
  }
  if (!reader.ok()) return Err(reader.error());
  if (instruction->name.empty() || instruction->opcode_name.empty() || instruction->shape == nullptr) {
    return Err("an instruction has no name, no opcode or no shape");
  }
  return {};
}

}  // namespace jax_oneshot::hlo
