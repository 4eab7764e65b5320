// In:  the bytes of one HloInstructionProto. Out: an Instruction. See parse_instruction.h.
#include "xla_pass/hlo_view/parse_instruction.h"

#include <string>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace field = fields::hlo_instruction;
using wire::Field;

// True when the field is one of the length-delimited texts and sub-messages that are kept as they are.
bool TakeBytes(const Field& f, Instruction* out) {
  switch (f.number) {
    case field::kName:
      out->name = f.payload;
      return true;
    case field::kOpcode:
      out->opcode_name = f.payload;
      out->opcode = ParseOpcode(f.payload);
      return true;
    case field::kMetadata:
      out->metadata = f.payload;
      return true;
    case field::kLiteral:
      out->literal = f.payload;
      return true;
    case field::kWindow:
      out->window = f.payload;
      return true;
    case field::kCustomCallTarget:
      out->custom_call_target = f.payload;
      return true;
    case field::kComparisonDirection:
      out->comparison_direction = f.payload;
      return true;
    case field::kComparisonType:
      out->comparison_type = f.payload;
      return true;
    default:
      return false;
  }
}

void TakeInteger(const Field& f, Instruction* out) {
  const auto value = static_cast<int64_t>(f.integer);
  switch (f.number) {
    case field::kId:
      out->id = value;
      break;
    case field::kParameterNumber:
      out->parameter_number = value;
      break;
    case field::kTupleIndex:
      out->tuple_index = value;
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

// The list a repeated integer field goes to, or null.
std::vector<int64_t>* ListOf(uint32_t number, Instruction* out, InstructionReferences* references) {
  switch (number) {
    case field::kOperandIds:
      return &references->operands;
    case field::kControlPredecessorIds:
      return &references->control_predecessors;
    case field::kCalledComputationIds:
      return &references->called_computations;
    case field::kDimensions:
      return &out->dimensions;
    case field::kDynamicSliceSizes:
      return &out->dynamic_slice_sizes;
    default:
      return nullptr;
  }
}

}  // namespace

Result<void> ParseInstruction(std::string_view bytes, Instruction* instruction, InstructionReferences* references) {
  instruction->bytes = bytes;
  wire::Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (std::vector<int64_t>* list = ListOf(f.number, instruction, references)) {
      if (!AppendIntegers(f, list)) return Err("a list of integers is malformed (field " + std::to_string(f.number) + ")");
    } else if (f.wire_type == wire::kVarint) {
      TakeInteger(f, instruction);
    } else if (f.wire_type != wire::kLengthDelimited || TakeBytes(f, instruction)) {
      continue;
    } else if (f.number == field::kShape) {
      Result<Shape> shape = ParseShape(f.payload);
      if (!shape) return Err(shape.error());
      instruction->shape = *std::move(shape);
    }
  }
  if (!reader.ok()) return Err(reader.error());
  if (instruction->name.empty() || instruction->opcode_name.empty()) return Err("an instruction has no name or no opcode");
  return {};
}

}  // namespace jax_oneshot::hlo
