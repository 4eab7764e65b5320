// SPDX-License-Identifier: Apache-2.0
// Implementation of known_programs.h.
#include "xla_pass/translate/known_programs.h"

#include <cstdint>

#include "row_program/text.h"
#include "row_program/validate.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

// Constants are left out: equal constants may differ in their bits (NaN).
size_t HashOf(const RowProgram& program) {
  uint64_t hash = program.inputs.size();
  const auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15u; };
  for (const Statement& s : program.statements) {
    mix(static_cast<uint64_t>(s.op) << 16 | static_cast<uint64_t>(s.dtype) << 8 | static_cast<uint64_t>(s.kind));
    for (int operand : s.operands) mix(static_cast<uint32_t>(operand));
  }
  return static_cast<size_t>(hash ^ hash >> 32);
}

}  // namespace

Decision<const std::string*> KnownPrograms::TextOf(const RowProgram& program) {
  const size_t hash = HashOf(program);
  const auto [begin, end] = known_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second.program == program) return &it->second.text;
  }
  if (Result<void> ok = ValidateRowProgram(program); !ok) return Refuse<ReasonId::kInvalidProgram>(ok.error());
  return &known_.emplace(hash, Known{program, PrintRowProgram(program)})->second.text;
}

}  // namespace jax_oneshot
