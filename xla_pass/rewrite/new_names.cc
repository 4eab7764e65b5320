// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/new_names.h"

#include <algorithm>
#include <charconv>

namespace jax_oneshot {
namespace {

// The number after the last dot; -1 if there is none or it does not fit int32.
int64_t NumberOf(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return -1;
  int32_t number = -1;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + dot + 1, end, number);
  return error == std::errc() && stop == end ? number : -1;
}

}  // namespace

int64_t FirstFreeNumber(const hlo::Module& module) {
  int64_t free = 0;
  for (const hlo::Computation& computation : module.computations) {
    for (const hlo::Instruction& instruction : computation.instructions) {
      if (instruction.name.substr(0, kNewName.size()) != kNewName) continue;
      free = std::max(free, NumberOf(instruction.name) + 1);
    }
  }
  return free;
}

}  // namespace jax_oneshot
