// SPDX-License-Identifier: Apache-2.0
// Implementation of splice.h.
#include "xla_pass/rewrite/splice.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using wire::Field;
using wire::Reader;
using wire::Writer;

// The same test as in the parser, so that both count the same fields.
bool IsMessage(const Field& f, uint32_t number) { return f.number == number && f.wire_type == wire::kLengthDelimited; }

int64_t InstructionFieldsBytes(const ComputationEdit& edit) {
  namespace field = hlo::fields::hlo_computation;
  int64_t bytes = 0;
  for (std::string_view instruction : edit.instructions) {
    bytes += wire::HeaderBytes(field::kInstructions, instruction.size()) + static_cast<int64_t>(instruction.size());
  }
  return bytes;
}

// The fields of a computation other than its instructions: those before the first instruction, and those after it.
struct OtherFields {
  std::vector<std::string_view> before, behind;
  int64_t bytes = 0;
};

OtherFields FindOtherFields(const hlo::Computation& computation, const ComputationEdit& edit) {
  OtherFields others;
  bool found_instruction = false;
  const bool is_reshaped = !edit.program_shape.empty();
  Reader reader(computation.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (IsMessage(f, hlo::fields::hlo_computation::kInstructions)) {
      found_instruction = true;
    } else if (!is_reshaped || !IsMessage(f, hlo::fields::hlo_computation::kProgramShape)) {
      (found_instruction ? others.behind : others.before).push_back(f.bytes);
      others.bytes += static_cast<int64_t>(f.bytes.size());
    }
  }
  return others;
}

// The new instructions take the position of the first old one.
void WriteComputation(const hlo::Computation& computation, const ComputationEdit& edit, Writer* out) {
  namespace field = hlo::fields::hlo_computation;
  const OtherFields others = FindOtherFields(computation, edit);
  Writer reshaped;
  if (!edit.program_shape.empty()) reshaped.Bytes(field::kProgramShape, edit.program_shape);
  out->Header(hlo::fields::hlo_module::kComputations,
              others.bytes + static_cast<int64_t>(reshaped.str().size()) + InstructionFieldsBytes(edit));
  for (std::string_view field : others.before) out->Verbatim(field);
  if (!computation.instructions.empty()) {
    for (std::string_view instruction : edit.instructions) {
      out->Bytes(field::kInstructions, instruction);
    }
  }
  out->Verbatim(reshaped.str());
  for (std::string_view field : others.behind) out->Verbatim(field);
}

// Upper bound of the output size. Large modules are mostly one computation: growing the output would copy it several
// times.
size_t LargestResult(const hlo::Module& module, const std::vector<ComputationEdit>& edits,
                     const std::vector<std::string_view>& added) {
  constexpr size_t kHeader = 16;
  size_t bytes = module.bytes.size();
  for (const ComputationEdit& edit : edits) bytes += static_cast<size_t>(InstructionFieldsBytes(edit)) + kHeader;
  for (const ComputationEdit& edit : edits) {
    for (const hlo::Instruction& old : module.computations[edit.computation].instructions) bytes -= old.bytes.size();
    bytes += edit.program_shape.size();
  }
  for (std::string_view computation : added) bytes += computation.size() + kHeader;
  return bytes;
}

}  // namespace

std::string SpliceModule(const hlo::Module& module, const std::vector<ComputationEdit>& edits,
                         const std::vector<int>& removed, const std::vector<std::string_view>& added) {
  namespace field = hlo::fields::hlo_module;
  std::vector<const ComputationEdit*> edit_of(module.computations.size(), nullptr);
  std::vector<bool> is_removed(module.computations.size(), false);
  for (const ComputationEdit& edit : edits) edit_of[edit.computation] = &edit;
  for (int computation : removed) is_removed[computation] = true;
  Writer out;
  out.Reserve(LargestResult(module, edits, added));
  int index = 0;
  Reader reader(module.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (!IsMessage(f, field::kComputations)) {
      out.Verbatim(f.bytes);
      continue;
    }
    if (index == 0) {
      for (std::string_view bytes : added) out.Bytes(field::kComputations, bytes);
    }
    const int computation = index++;
    if (is_removed[computation]) continue;
    if (edit_of[computation] == nullptr) {
      out.Verbatim(f.bytes);
    } else {
      WriteComputation(module.computations[computation], *edit_of[computation], &out);
    }
  }
  return out.Take();
}

}  // namespace jax_oneshot
