// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/changed_bytes.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

namespace field = hlo::fields::hlo_instruction;
using wire::Field;
using wire::Reader;
using wire::Writer;

bool IsReplaced(const InstructionChanges& changes, uint32_t number) {
  switch (number) {
    case field::kName:
      return changes.name.has_value();
    case field::kId:
      return changes.id.has_value();
    case field::kShape:
      return changes.shape.has_value();
    case field::kOperandIds:
      return changes.operand_ids.has_value();
    case field::kCalledComputationIds:
      return changes.called_ids.has_value();
    case field::kControlPredecessorIds:
      return changes.control_predecessor_ids.has_value();
    case field::kChannelId:
      return changes.channel_id.has_value();
    default:
      return false;
  }
}

}  // namespace

std::string ChangedBytes(const hlo::Instruction& instruction, const InstructionChanges& changes) {
  Writer out;
  if (changes.name) out.Bytes(field::kName, *changes.name);
  Reader reader(instruction.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (!IsReplaced(changes, f.number)) out.Verbatim(f.bytes);
  }
  if (changes.shape) out.Bytes(field::kShape, *changes.shape);
  if (changes.channel_id) out.Integer(field::kChannelId, *changes.channel_id);
  if (changes.id) out.Integer(field::kId, *changes.id);
  if (changes.operand_ids) out.Packed(field::kOperandIds, *changes.operand_ids);
  if (changes.control_predecessor_ids) out.Packed(field::kControlPredecessorIds, *changes.control_predecessor_ids);
  if (changes.called_ids) out.Packed(field::kCalledComputationIds, *changes.called_ids);
  return out.Take();
}

std::string LongerTuple(const hlo::Shape& tuple, const std::vector<const hlo::Shape*>& more) {
  Writer out;
  out.Verbatim(tuple.bytes);
  for (const hlo::Shape* element : more) out.Bytes(hlo::fields::shape::kTupleShapes, element->bytes);
  return out.Take();
}

std::string ChangedProgramShape(const hlo::Computation& computation, std::string_view parameter,
                                std::string_view result) {
  namespace program = hlo::fields::program_shape;
  std::string_view old;
  Reader fields(computation.bytes);
  Field f;
  while (fields.Next(&f)) {
    if (f.number == hlo::fields::hlo_computation::kProgramShape && f.wire_type == wire::kLengthDelimited) {
      old = f.payload;
    }
  }
  if (old.empty()) return "";
  Writer out;
  out.Bytes(program::kParameters, parameter);
  if (!result.empty()) out.Bytes(program::kResult, result);
  Reader reader(old);
  while (reader.Next(&f)) {
    if (f.number == program::kParameters || (f.number == program::kResult && !result.empty())) continue;
    out.Verbatim(f.bytes);
  }
  return out.Take();
}

}  // namespace jax_oneshot
