// SPDX-License-Identifier: Apache-2.0
// Decides which regions of a computation become calls, and why other sites are kept. The module is not changed; `order`
// records the contracted regions.
//
//   sites in module order; each grows a region from instructions that are in no region yet
//
// The elements of one all-reduce are decided together: if one is kept, all are, and the computation is decided again
// without that all-reduce. If a region fails (an error while it is grown, a call that would depend on itself), its
// all-reduce is kept, and the others are decided as if it were no site.
//
// A region yields if it would absorb the first half of a norm that is sharded over other ranks:
//
//   %a = all-reduce(%d), two ranks; %h = add(%a, %x); %s = reduce(multiply(%h, %h)); %t = all-reduce(%s), four ranks;
//   %n = multiply(%h, rsqrt(%t)); %g = all-gather(%n), four ranks
//     -> a call of two ranks that returns %h, and one of four that gathers %h and returns %g;
//        instead of one call that also returns %s, a bare all-reduce and an all-gather
#ifndef XLA_PASS_REGIONS_DECIDE_REGIONS_H_
#define XLA_PASS_REGIONS_DECIDE_REGIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/grow_region.h"
#include "xla_pass/regions/region.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

struct DecideOptions {
  GrowOptions grow;
  bool compiler_makes_reduce_scatters = false;  // XLA:GPU does, from an all-reduce that is only sliced
};

struct Decisions {
  std::vector<Region> regions;  // in the order they were found
  std::vector<std::pair<SiteRef, Reason>> kept;
};

Decisions DecideRegions(const Graph& graph, const SiteTable& sites, const DecideOptions& options,
                        DependencyOrder* order);

// Removes region `index`, and all regions connected to it through shared all-reduces. Appends the all-reduces that are
// now kept to `kept`, with reason `why`.
std::vector<Region> WithoutRegion(std::vector<Region> regions, size_t index, const Reason& why,
                                  std::vector<std::pair<SiteRef, Reason>>* kept);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_DECIDE_REGIONS_H_
