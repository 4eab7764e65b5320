// SPDX-License-Identifier: Apache-2.0
// Rewrites a module's all-reduces before any decisions: those in groups of one rank are dropped, nested ones are
// folded, and some are moved after math that is linear in them. Each stage has its own file with an example.
#ifndef XLA_PASS_SUMS_PREPARE_SUMS_H_
#define XLA_PASS_SUMS_PREPARE_SUMS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// An all-reduce of the original module that is not in the prepared one.
struct GoneSum {
  std::string name, computation, shape;
  std::string into;  // the all-reduce that replaces it; empty: none is needed
  Reason why;
  int64_t bytes = 0, group_size = 0;
  bool in_loop = false;
};

struct PreparedModule {
  std::string bytes;  // empty: the module is unchanged
  std::vector<GoneSum> gone;
};

// Fails only on an internal error: the output of a stage does not parse.
//
// `may_sink`: set if the compiler still fuses and lowers the module (GPU). XLA:CPU has done both before the pass.
Result<PreparedModule> PrepareSums(const hlo::Module& module, bool may_sink);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_PREPARE_SUMS_H_
