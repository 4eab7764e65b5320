// SPDX-License-Identifier: Apache-2.0
// Reason: why an all-reduce was kept, where a region ends, why a loop was not rotated. Decisions return one as their
// error.
//
//   return Refuse<ReasonId::kGroupSize>(32, 2, 16);
//     -> id kGroupSize, text "the group has 32 ranks; supported: 2 to 16"
//
// reason_table.inc lists them all, with what they mean and what to do.
#ifndef XLA_PASS_VERDICT_REASON_H_
#define XLA_PASS_VERDICT_REASON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace jax_oneshot {

enum class ReasonId : uint8_t {
#define REASON(name, kind, format, meaning, advice) k##name,
#include "xla_pass/verdict/reason_table.inc"
#undef REASON
};

enum class ReasonKind : uint8_t {
  kKept,        // an all-reduce was kept
  kEnds,        // where the region of a rewritten all-reduce ends
  kStops,       // why it ends before an instruction: the detail of ReasonId::kRegionEnds
  kNotRotated,  // a loop was not rotated
  kInternal,    // never in a report
};

struct ReasonEntry {
  const char* name;
  ReasonKind kind;
  std::string_view format, meaning, advice;
};

inline constexpr char kNothingToDo[] = "Nothing to do.";

// By ReasonId.
inline constexpr ReasonEntry kReasonTable[] = {
#define REASON(name, kind, format, meaning, advice) {#name, ReasonKind::kind, format, meaning, advice},
#include "xla_pass/verdict/reason_table.inc"
#undef REASON
};

constexpr const ReasonEntry& EntryOf(ReasonId id) { return kReasonTable[static_cast<size_t>(id)]; }

// "group_size"
std::string NameOf(ReasonId id);
std::optional<ReasonId> FindReason(std::string_view name);

struct Reason {
  ReasonId id = ReasonId::kRegionComplete;
  std::string text;
  std::optional<ReasonId> stop;  // of kRegionEnds: why the region ends there
};

template <typename T>
using Decision = tl::expected<T, Reason>;

namespace reason_internal {

constexpr size_t CountHoles(std::string_view format) {
  size_t holes = 0;
  for (size_t i = 0; i + 1 < format.size(); ++i) holes += format[i] == '{' && format[i + 1] == '}';
  return holes;
}

std::string Fill(std::string_view format, const std::vector<std::string>& values);

template <typename T>
std::string TextOf(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else {
    return std::string(value);
  }
}

}  // namespace reason_internal

// One argument for each {} of its format.
template <ReasonId id, typename... Args>
Reason MakeReason(const Args&... args) {
  static_assert(reason_internal::CountHoles(EntryOf(id).format) == sizeof...(Args));
  return {id, reason_internal::Fill(EntryOf(id).format, {reason_internal::TextOf(args)...}), std::nullopt};
}

template <ReasonId id, typename... Args>
tl::unexpected<Reason> Refuse(const Args&... args) {
  return tl::unexpected<Reason>(MakeReason<id>(args...));
}

inline tl::unexpected<Reason> Refuse(Reason reason) { return tl::unexpected<Reason>(std::move(reason)); }

// The same for an id known at run time; none if the number of values is wrong.
std::optional<Reason> MakeReason(ReasonId id, const std::vector<std::string>& values);

// "the region ends before %dot.1: dot has no row form"
Reason RegionEnds(std::string_view instruction, const Reason& why);

}  // namespace jax_oneshot

#endif  // XLA_PASS_VERDICT_REASON_H_
