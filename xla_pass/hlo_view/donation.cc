// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/hlo_view/donation.h"

#include <utility>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace alias = fields::input_output_alias;
namespace donor = fields::buffer_donor;
using wire::Field;
using wire::Reader;

// Calls `take` with each field `number` of a message.
template <typename Take>
void ForEach(std::string_view message, uint32_t number, Take take) {
  Reader reader(message);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == number) take(f);
  }
}

// Calls `take` with each entry of the repeated field `entries` of each message `number` of a module.
template <typename Take>
void ForEachEntry(std::string_view module_bytes, uint32_t number, uint32_t entries, Take take) {
  ForEach(module_bytes, number, [&](const Field& message) { ForEach(message.payload, entries, take); });
}

void AppendDonated(std::string_view entry, std::vector<DonatedParameter>* found) {
  namespace field = fields::alias_entry;
  DonatedParameter donated;
  std::vector<int64_t> part;
  bool ok = true;
  Reader reader(entry);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == field::kOutputShapeIndex) ok &= wire::AppendIntegers(f, &donated.output);
    if (f.number == field::kParameterShapeIndex) ok &= wire::AppendIntegers(f, &part);
    if (f.number == field::kParameterNumber && f.wire_type == wire::kVarint)
      donated.parameter = static_cast<int64_t>(f.integer);
  }
  if (ok && reader.ok() && part.empty() && donated.parameter >= 0) found->push_back(std::move(donated));
}

}  // namespace

int64_t CountDonatedOutputs(std::string_view module_bytes) {
  int64_t count = 0;
  const auto take = [&](const Field&) { ++count; };
  ForEachEntry(module_bytes, fields::hlo_module::kInputOutputAlias, alias::kEntries, take);
  ForEachEntry(module_bytes, fields::hlo_module::kBufferDonor, donor::kEntries, take);
  return count;
}

std::vector<DonatedParameter> FindDonatedParameters(std::string_view module_bytes) {
  std::vector<DonatedParameter> found;
  ForEachEntry(module_bytes, fields::hlo_module::kInputOutputAlias, alias::kEntries, [&](const Field& entry) {
    if (entry.wire_type == wire::kLengthDelimited) AppendDonated(entry.payload, &found);
  });
  return found;
}

}  // namespace jax_oneshot::hlo
