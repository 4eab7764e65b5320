// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: parses arbitrary bytes; the printed form of an accepted text must be a fixed point.
//
//   bazel build --config=fuzz //row_program:text_fuzz && build/bazel-bin/row_program/text_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "row_program/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto program = jax_oneshot::ParseRowProgram(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!program) return 0;
  const std::string text = jax_oneshot::PrintRowProgram(*program);
  const auto again = jax_oneshot::ParseRowProgram(text);
  // abort() is how a fuzz target reports a finding.
  if (!again || !(*again == *program) || jax_oneshot::PrintRowProgram(*again) != text) std::abort();
  return 0;
}
