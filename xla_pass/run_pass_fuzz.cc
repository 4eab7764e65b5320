// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: runs the pass on arbitrary bytes; the result must parse again.
//
//   bazel build --config=fuzz //xla_pass:run_pass_fuzz && build/bazel-bin/xla_pass/run_pass_fuzz tests/data
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/rewrite/splice.h"
#include "xla_pass/run_pass.h"

namespace jax_oneshot {
namespace {

// abort() is how a fuzz target reports a finding.
void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckPass(std::string_view bytes, Platform platform) {
  PassOptions options;
  options.platform = platform;
  options.max_bytes.fill(1 << 20);
  options.timeout_ms = 1000;
  const Result<PassResult> result = RunPass(bytes, options);
  if (!result || !result->module) return;
  Require(*result->module != bytes);
  Require(hlo::ParseModule(*result->module).has_value());
  Require(RunPass(*result->module, options).has_value());
}

}  // namespace
}  // namespace jax_oneshot

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jax_oneshot;  // NOLINT: an entry point of C
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto module = hlo::ParseModule(bytes)) Require(SpliceModule(*module, {}, {}) == bytes);
  CheckPass(bytes, Platform::kCpu);
  CheckPass(bytes, Platform::kCuda);
  return 0;
}
