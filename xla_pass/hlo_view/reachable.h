// SPDX-License-Identifier: Apache-2.0
// The computations that run as code of their own (not as the body of a fusion, a reduction, ...), and which are in a
// loop.
#ifndef XLA_PASS_HLO_VIEW_REACHABLE_H_
#define XLA_PASS_HLO_VIEW_REACHABLE_H_

#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

struct ReachableComputation {
  int computation = 0;
  bool in_loop = false;
};

// Follows while, conditional and call; the entry comes first.
std::vector<ReachableComputation> FindReachable(const hlo::Module& module);

}  // namespace jax_oneshot

#endif  // XLA_PASS_HLO_VIEW_REACHABLE_H_
