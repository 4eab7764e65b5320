// SPDX-License-Identifier: Apache-2.0
// Finds how far the users of an all-reduce are linear in it, and the best place for its sum. Read-only.
//
//   %a = all-reduce(%x); %g = gather(%a, ..); %m = multiply(%g, ..); %s = reduce(%m, 0); %n = norm(%s)
//   -> steps {%g, %m, %s}
#ifndef XLA_PASS_SUMS_LINEAR_CHAIN_H_
#define XLA_PASS_SUMS_LINEAR_CHAIN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/replication.h"
#include "xla_pass/sums/linear_step.h"

namespace jax_oneshot {

struct LinearChain {
  Node all_reduce = kNoNode;
  std::vector<Node> steps;  // each reads the previous one; the sum moves after the last
  std::vector<StepKind> kinds;
  bool is_wide = false;  // summed in f32, unlike before
};

// Nothing if the sum should stay where it is.
std::optional<LinearChain> FindChain(const Graph& graph, Node all_reduce, ReplicationCache* replication);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_LINEAR_CHAIN_H_
