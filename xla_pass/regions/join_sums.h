// SPDX-License-Identifier: Apache-2.0
// Finds an all-reduce, behind a value that a growing region reads, that can be summed in the same exchange; and the
// sums that the region's program turns out not to use.
//
//   %a = all-reduce(..); %b = all-reduce(..); %y = add(%a, reshape(%b))    grown from %a: %b is behind reshape(%b)
#ifndef XLA_PASS_REGIONS_JOIN_SUMS_H_
#define XLA_PASS_REGIONS_JOIN_SUMS_H_

#include <vector>

#include "row_program/row_program.h"
#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

// The state of a growing region.
struct GrowingSums {
  RowExtent extent;
  std::vector<SiteRef> seeds;     // already summed
  size_t given = 1;               // the first `given` seeds are from one all-reduce; the others have joined
  std::vector<SiteRef> rejected;  // must not be found again
};

// The result's site is -1 if there is none. `inside`: the values that the region computes.
SiteRef FindSumBehind(Node value, const GrowingSums& sums, const NodeSet& inside, const Graph& graph,
                      const SiteTable& sites, const DependencyOrder& order);

// The index, among the program's sums, of the first one that no statement connects with the first `given` ones; -1 if
// all are connected.
int FindUselessSum(const RowProgram& program, size_t given);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_JOIN_SUMS_H_
