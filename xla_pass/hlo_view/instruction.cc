// SPDX-License-Identifier: Apache-2.0
// Implementation of instruction.h.
#include "xla_pass/hlo_view/instruction.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace field = fields::hlo_instruction;

}  // namespace

std::string_view Instruction::Find(uint32_t number) const {
  wire::Reader reader(bytes);
  wire::Field f;
  while (reader.Next(&f)) {
    if (f.number == number && f.wire_type == wire::kLengthDelimited) return f.payload;
  }
  return {};
}

std::string_view Instruction::metadata() const { return Find(field::kMetadata); }
std::string_view Instruction::custom_call_target() const { return Find(field::kCustomCallTarget); }
std::string_view Instruction::fusion_kind() const { return Find(field::kFusionKind); }
std::string_view Instruction::comparison_direction() const { return Find(field::kComparisonDirection); }
bool Instruction::is_total_order() const {
  return Find(field::kComparisonType) == "TOTALORDER" || Find(field::kComparisonOrder) == "TOTAL";
}
std::string_view Instruction::literal() const { return Find(field::kLiteral); }
std::string_view Instruction::window() const { return Find(field::kWindow); }

}  // namespace jax_oneshot::hlo
