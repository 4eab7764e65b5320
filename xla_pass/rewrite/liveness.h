// Which instructions a rewrite removes: the absorbed ones, and those whose last reader goes (a broadcast gamma, a
// promoted operand's convert).
#ifndef XLA_PASS_REWRITE_LIVENESS_H_
#define XLA_PASS_REWRITE_LIVENESS_H_

#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

// By index within the computation.
std::vector<bool> FindRemoved(const Graph& graph, int computation, const SiteTable& sites,
                              const std::vector<Region>& regions);

// Computations that only removed instructions called, their own callees included.
std::vector<int> FindUncalled(const Graph& graph, const std::vector<Node>& removed);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_LIVENESS_H_
