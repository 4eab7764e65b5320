// SPDX-License-Identifier: Apache-2.0
// Trims a region to what it should absorb: units that cannot be returned, or that gain nothing, are dropped.
//
//   %c = convert(%y) to f32, read outside only   -> stays outside, reads %y     (a narrower output)
//   %p = partial row sum with a reader outside   -> dropped with its users      (cannot be returned)
//   %t = transpose(%y), read outside             -> dropped with its users      (a call returns rows)
//   %m = multiply(%y, cos), fusible reader (GPU) -> dropped                     (XLA fuses it for free)
#ifndef XLA_PASS_REGIONS_TRIM_REGION_H_
#define XLA_PASS_REGIONS_TRIM_REGION_H_

#include <vector>

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/translate/row_translator.h"

namespace jax_oneshot {

struct TrimmedRegion {
  std::vector<Node> members;  // in dependency order, seeds' results included
  std::vector<Node> outputs;  // members whose value is used outside
  // Members that also stay in the module, because they have outside users and are free to compute from an output (a
  // widening convert, a reshape, a broadcast).
  std::vector<Node> also_kept;
  Node transposed = kNoNode;  // the first dropped member with columns first
};

// `members` are in dependency order; `seeds` are never dropped. Users that accepted regions (`order`) have absorbed do
// not count as readers, but the calls of those regions do.
TrimmedRegion TrimRegion(const Graph& graph, const RowTranslator& translator, const DependencyOrder& order,
                         const NodeSet& members, const NodeSet& seeds, bool compiler_fuses_later);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_TRIM_REGION_H_
