// SPDX-License-Identifier: Apache-2.0
// Runs the whole pass; this is the only entry point that Python calls. Input: a serialized HloModuleProto and options.
// Output: new bytes, or none, and one verdict per all-reduce.
#ifndef XLA_PASS_RUN_PASS_H_
#define XLA_PASS_RUN_PASS_H_

#include <string_view>

#include "base/result.h"
#include "xla_pass/pass_options.h"
#include "xla_pass/pass_report.h"

namespace jax_oneshot {

// An error in one region keeps its all-reduces, with the error as their reason. Fails, changing nothing, if the bytes
// are no HloModuleProto or the written module does not parse.
Result<PassResult> RunPass(std::string_view module_bytes, const PassOptions& options);

}  // namespace jax_oneshot

#endif  // XLA_PASS_RUN_PASS_H_
