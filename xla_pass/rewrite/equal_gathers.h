// Finds all-gathers that repeat an earlier one.
//
//   %a = all-gather(%x), channel_id=1, ..;  %b = all-gather(%x), channel_id=2, ..   ->  %b is %a
//
// GSPMD gathers a value once for every reader; each would be an exchange of its own.
#ifndef XLA_PASS_REWRITE_EQUAL_GATHERS_H_
#define XLA_PASS_REWRITE_EQUAL_GATHERS_H_

#include <unordered_map>
#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

// By such an all-gather: the first one that is equal. `removed` (by index within the computation) are left out.
std::unordered_map<Node, Node> FindEqualGathers(const Graph& graph, int computation, const std::vector<bool>& removed);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_EQUAL_GATHERS_H_
