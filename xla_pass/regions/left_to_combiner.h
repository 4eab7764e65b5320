// SPDX-License-Identifier: Apache-2.0
// Finds the regions whose collectives are better left to XLA's combiner.
//
//   48 gradients, each all-reduced and added to its momentum: one combined all-reduce without the pass, else 48 calls
//     -> all 48 regions
//   a norm of shards whose all-reduce XLA would combine with one more; its call takes an all-reduce and two all-gathers
//     -> none: there are no more calls than collectives that they replace
//
// Regions that share a combined collective are left or taken together.
#ifndef XLA_PASS_REGIONS_LEFT_TO_COMBINER_H_
#define XLA_PASS_REGIONS_LEFT_TO_COMBINER_H_

#include <cstddef>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

struct LeftRegion {
  size_t region = 0;
  int collectives = 0;  // collectives after combining that its group of regions would replace
  int calls = 0;        // calls and remaining collectives that the group would need instead
};

// `combined` comes from CombinedCollectives.
std::vector<LeftRegion> FindLeftToCombiner(const Graph& graph, const SiteTable& sites,
                                           const std::vector<Region>& regions, const std::vector<int>& combined);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_LEFT_TO_COMBINER_H_
