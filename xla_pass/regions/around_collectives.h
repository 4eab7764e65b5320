// In:  the members of a region that sums nothing. Out: those that an absorbed collective needs or follows; what only
// hangs on the shards it was grown from is no business of an exchange.
#ifndef XLA_PASS_REGIONS_AROUND_COLLECTIVES_H_
#define XLA_PASS_REGIONS_AROUND_COLLECTIVES_H_

#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

// `members` and the result in dependency order.
std::vector<Node> AroundCollectives(const Graph& graph, const std::vector<Node>& members);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_AROUND_COLLECTIVES_H_
