// SPDX-License-Identifier: Apache-2.0
// Implementation of reason.h.
#include "xla_pass/verdict/reason.h"

#include <cctype>
#include <iterator>

namespace jax_oneshot {

std::string NameOf(ReasonId id) {
  std::string name;
  for (const char* c = EntryOf(id).name; *c != '\0'; ++c) {
    const auto letter = static_cast<unsigned char>(*c);
    if (std::isupper(letter) != 0 && !name.empty()) name += '_';
    name += static_cast<char>(std::tolower(letter));
  }
  return name;
}

std::optional<ReasonId> FindReason(std::string_view name) {
  for (size_t i = 0; i < std::size(kReasonTable); ++i) {
    const auto id = static_cast<ReasonId>(i);
    if (NameOf(id) == name) return id;
  }
  return std::nullopt;
}

std::optional<Reason> MakeReason(ReasonId id, const std::vector<std::string>& values) {
  const std::string_view format = EntryOf(id).format;
  if (reason_internal::CountHoles(format) != values.size()) return std::nullopt;
  return Reason{id, reason_internal::Fill(format, values), std::nullopt};
}

Reason RegionEnds(std::string_view instruction, const Reason& why) {
  Reason reason = MakeReason<ReasonId::kRegionEnds>(instruction, why.text);
  reason.stop = why.id;
  return reason;
}

namespace reason_internal {

std::string Fill(std::string_view format, const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    const size_t hole = format.find("{}");
    text.append(format.substr(0, hole)).append(value);
    format.remove_prefix(hole + 2);
  }
  return text.append(format);
}

}  // namespace reason_internal
}  // namespace jax_oneshot
