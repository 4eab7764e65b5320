// Implementation of donated_parameters.h.
#include "xla_pass/hlo_view/donated_parameters.h"

#include <string_view>
#include <utility>

#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

constexpr uint32_t kInputOutputAlias = 8;  // of HloModuleProto
constexpr uint32_t kEntries = 1;           // of HloInputOutputAliasProto
// Fields of an entry.
constexpr uint32_t kOutputShapeIndex = 1;
constexpr uint32_t kParameterNumber = 2;
constexpr uint32_t kParameterShapeIndex = 3;

void AppendDonated(std::string_view entry, std::vector<DonatedParameter>* found) {
  DonatedParameter donated;
  std::vector<int64_t> part;
  bool ok = true;
  Reader reader(entry);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == kOutputShapeIndex) ok &= wire::AppendIntegers(f, &donated.output);
    if (f.number == kParameterShapeIndex) ok &= wire::AppendIntegers(f, &part);
    if (f.number == kParameterNumber && f.wire_type == wire::kVarint)
      donated.parameter = static_cast<int64_t>(f.integer);
  }
  if (ok && reader.ok() && part.empty() && donated.parameter >= 0) found->push_back(std::move(donated));
}

}  // namespace

std::vector<DonatedParameter> FindDonatedParameters(const Module& module) {
  std::vector<DonatedParameter> found;
  Reader reader(module.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number != kInputOutputAlias || f.wire_type != wire::kLengthDelimited) continue;
    Reader aliases(f.payload);
    Field entry;
    while (aliases.Next(&entry)) {
      if (entry.number == kEntries && entry.wire_type == wire::kLengthDelimited) AppendDonated(entry.payload, &found);
    }
  }
  return found;
}

}  // namespace jax_oneshot::hlo
