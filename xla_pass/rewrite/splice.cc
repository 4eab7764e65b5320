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

// The new instructions stand where the first old one stood.
std::string SpliceComputation(const hlo::Computation& computation, const ComputationEdit& edit) {
  namespace field = hlo::fields::hlo_computation;
  Writer out;
  out.Reserve(computation.bytes.size());
  bool written = false;
  Reader reader(computation.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (!IsMessage(f, field::kInstructions)) {
      out.Verbatim(f.bytes);
    } else if (!written) {
      for (std::string_view instruction : edit.instructions) out.Bytes(field::kInstructions, instruction);
      written = true;
    }
  }
  return out.Take();
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
  out.Reserve(module.bytes.size());
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
      out.Bytes(field::kComputations, SpliceComputation(module.computations[computation], *edit_of[computation]));
    }
  }
  return out.Take();
}

}  // namespace jax_oneshot
