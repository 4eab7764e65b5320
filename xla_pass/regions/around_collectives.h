// SPDX-License-Identifier: Apache-2.0
// For a region grown from shards: keeps the members that an absorbed collective depends on, and those that depend on
// one. Members that depend only on the source shards are dropped.
#ifndef XLA_PASS_REGIONS_AROUND_COLLECTIVES_H_
#define XLA_PASS_REGIONS_AROUND_COLLECTIVES_H_

#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

// `members` and the result are in dependency order.
std::vector<Node> AroundCollectives(const Graph& graph, const std::vector<Node>& members);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_AROUND_COLLECTIVES_H_
