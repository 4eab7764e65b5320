// SPDX-License-Identifier: Apache-2.0
// Finds all-gathers that duplicate an earlier one.
//
//   %a = all-gather(%x), channel_id=1, ..;  %b = all-gather(%x), channel_id=2, ..   ->  %b equals %a
//
// GSPMD emits an all-gather for each reader of a value, and each would be a separate exchange.
#ifndef XLA_PASS_REWRITE_EQUAL_GATHERS_H_
#define XLA_PASS_REWRITE_EQUAL_GATHERS_H_

#include <unordered_map>
#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

// Maps each duplicate to the first equal all-gather. Skips `removed` (by index within the computation).
std::unordered_map<Node, Node> FindEqualGathers(const Graph& graph, int computation, const std::vector<bool>& removed);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_EQUAL_GATHERS_H_
