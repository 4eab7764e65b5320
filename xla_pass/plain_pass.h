// SPDX-License-Identifier: Apache-2.0
// The pass on a module as it is: decides and rewrites computation by computation, and counts what is left. Moves no
// sums and rotates no loops; run_pass.h does that first and calls this on the result.
#ifndef XLA_PASS_PLAIN_PASS_H_
#define XLA_PASS_PLAIN_PASS_H_

#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/pass_options.h"
#include "xla_pass/pass_report.h"
#include "xla_pass/rotate/made_region.h"

namespace jax_oneshot {

// `made`: if not null, receives a description of each region. Fails where what was written does not read back.
Result<PassResult> RunPlainPass(const hlo::Module& module, const PassOptions& options,
                                std::vector<MadeRegion>* made = nullptr);

}  // namespace jax_oneshot

#endif  // XLA_PASS_PLAIN_PASS_H_
