// Finds, behind a value that a growing region reads, an all-reduce that can be summed in the same exchange; and
// afterwards the sums that the region's program does not use.
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

// What a region is so far.
struct GrowingSums {
  RowExtent extent;
  std::vector<SiteRef> seeds;     // summed already
  size_t given = 1;               // so many seeds, the first ones, are of one all-reduce; the others have joined
  std::vector<SiteRef> rejected;  // not to be found again
};

// The result's site is -1 where there is none. `inside`: what the region computes.
SiteRef FindSumBehind(Node value, const GrowingSums& sums, const NodeSet& inside, const Graph& graph,
                      const SiteTable& sites, const DependencyOrder& order);

// The number, among the program's sums, of the first that no statement connects with the `given` first ones; -1: all
// are connected.
int FindUselessSum(const RowProgram& program, size_t given);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_JOIN_SUMS_H_
