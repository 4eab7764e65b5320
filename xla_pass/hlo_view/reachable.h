// The computations that execute on their own (not inside a fusion, a reduction, ...), and whether a loop repeats them.
#ifndef XLA_PASS_HLO_VIEW_REACHABLE_H_
#define XLA_PASS_HLO_VIEW_REACHABLE_H_

#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

struct ReachableComputation {
  int computation = 0;
  bool in_loop = false;
};

// Entry first; through while, conditional and call.
std::vector<ReachableComputation> FindReachable(const hlo::Module& module);

}  // namespace jax_oneshot

#endif  // XLA_PASS_HLO_VIEW_REACHABLE_H_
