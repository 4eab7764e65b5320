// In:  a parsed module and edits. Out: new module bytes. See splice.h.
#include "xla_pass/rewrite/splice.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using wire::Field;
using wire::Reader;
using wire::Writer;

// The same test as the parser's, so that both count alike.
bool IsMessage(const Field& f, uint32_t number) { return f.number == number && f.wire_type == wire::kLengthDelimited; }

int64_t InstructionFieldsBytes(const ComputationEdit& edit) {
  namespace field = hlo::fields::hlo_computation;
  int64_t bytes = 0;
  for (std::string_view instruction : edit.instructions) {
    bytes += wire::HeaderBytes(field::kInstructions, instruction.size()) + static_cast<int64_t>(instruction.size());
  }
  return bytes;
}

// What stands in a computation beside its instructions: before the first of them, and behind it.
struct OtherFields {
  std::vector<std::string_view> before, behind;
  int64_t bytes = 0;
};

OtherFields FindOtherFields(const hlo::Computation& computation) {
  OtherFields others;
  bool found_instruction = false;
  Reader reader(computation.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (IsMessage(f, hlo::fields::hlo_computation::kInstructions)) {
      found_instruction = true;
    } else {
      (found_instruction ? others.behind : others.before).push_back(f.bytes);
      others.bytes += static_cast<int64_t>(f.bytes.size());
    }
  }
  return others;
}

// The new instructions stand where the first old one stood.
void WriteComputation(const hlo::Computation& computation, const ComputationEdit& edit, Writer* out) {
  const OtherFields others = FindOtherFields(computation);
  out->Header(hlo::fields::hlo_module::kComputations, others.bytes + InstructionFieldsBytes(edit));
  for (std::string_view field : others.before) out->Verbatim(field);
  if (!computation.instructions.empty()) {
    for (std::string_view instruction : edit.instructions) {
      out->Bytes(hlo::fields::hlo_computation::kInstructions, instruction);
    }
  }
  for (std::string_view field : others.behind) out->Verbatim(field);
}

// Large modules are mostly one computation: growing the output while writing would copy it several times.
size_t LargestResult(const hlo::Module& module, const std::vector<ComputationEdit>& edits) {
  constexpr size_t kHeader = 16;
  size_t bytes = module.bytes.size();
  for (const ComputationEdit& edit : edits) bytes += static_cast<size_t>(InstructionFieldsBytes(edit)) + kHeader;
  for (const ComputationEdit& edit : edits) {
    for (const hlo::Instruction& old : module.computations[edit.computation].instructions) bytes -= old.bytes.size();
  }
  return bytes;
}

}  // namespace

std::string SpliceModule(const hlo::Module& module, const std::vector<ComputationEdit>& edits,
                         const std::vector<int>& removed) {
  namespace field = hlo::fields::hlo_module;
  std::vector<const ComputationEdit*> edit_of(module.computations.size(), nullptr);
  std::vector<bool> is_removed(module.computations.size(), false);
  for (const ComputationEdit& edit : edits) edit_of[edit.computation] = &edit;
  for (int computation : removed) is_removed[computation] = true;
  Writer out;
  out.Reserve(LargestResult(module, edits));
  int index = 0;
  Reader reader(module.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (!IsMessage(f, field::kComputations)) {
      out.Verbatim(f.bytes);
      continue;
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
