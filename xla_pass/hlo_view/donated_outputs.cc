#include "xla_pass/hlo_view/donated_outputs.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

int64_t CountEntries(std::string_view message, uint32_t entries) {
  int64_t count = 0;
  Reader reader(message);
  Field f;
  while (reader.Next(&f)) count += f.number == entries;
  return count;
}

}  // namespace

int64_t CountDonatedOutputs(std::string_view module_bytes) {
  int64_t count = 0;
  Reader reader(module_bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == fields::hlo_module::kInputOutputAlias) {
      count += CountEntries(f.payload, fields::input_output_alias::kEntries);
    } else if (f.number == fields::hlo_module::kBufferDonor) {
      count += CountEntries(f.payload, fields::buffer_donor::kEntries);
    }
  }
  return count;
}

}  // namespace jax_oneshot::hlo
