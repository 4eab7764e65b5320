// SPDX-License-Identifier: Apache-2.0
// Finds the instructions that a rewrite removes: absorbed instructions, and those left without users (e.g. the
// broadcast of a gamma, the convert of a promoted operand).
#ifndef XLA_PASS_REWRITE_LIVENESS_H_
#define XLA_PASS_REWRITE_LIVENESS_H_

#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

// Indexed like the computation's instructions.
std::vector<bool> FindRemoved(const Graph& graph, int computation, const SiteTable& sites,
                              const std::vector<Region>& regions);

// Computations called only by removed instructions, including their own callees.
std::vector<int> FindUncalled(const Graph& graph, const std::vector<Node>& removed);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_LIVENESS_H_
