// Decides which regions of a computation become calls, and why other sites are kept. Reads only; `order` records the
// regions it contracts.
//
//   sites in the order of the module; each grows a region from what no region has yet
//
// The values of one all-reduce are decided together: where one is kept, all are, and the computation is decided again
// without it. A region that turns out to be wrong (an error while it was grown, a call that would wait for itself)
// keeps its all-reduce; the others are decided as if it were none.
//
// A region stands back where it would take the first half of a norm that ranks share out among themselves otherwise:
//
//   %a = all-reduce(%d), two ranks; %h = add(%a, %x); %s = reduce(multiply(%h, %h)); %t = all-reduce(%s), four ranks;
//   %n = multiply(%h, rsqrt(%t)); %g = all-gather(%n), four ranks
//     -> a call of two ranks that returns %h, and one of four that gathers %h and returns %g;
//        not one that returns %s too, beside a bare all-reduce and an all-gather
#ifndef XLA_PASS_REGIONS_DECIDE_REGIONS_H_
#define XLA_PASS_REGIONS_DECIDE_REGIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/regions/grow_region.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

struct DecideOptions {
  GrowOptions grow;
  bool compiler_makes_reduce_scatters = false;  // XLA:GPU does, of an all-reduce that only a slice reads
};

struct Decisions {
  std::vector<Region> regions;  // in the order in which they were found
  std::vector<std::pair<SiteRef, std::string>> kept;
};

Decisions DecideRegions(const Graph& graph, const SiteTable& sites, const DecideOptions& options,
                        DependencyOrder* order);

// Without region `index`, and without those that share an all-reduce with it or with one that goes. The all-reduces
// that are kept now, each with `why`, are appended to `kept`.
std::vector<Region> WithoutRegion(std::vector<Region> regions, size_t index, const std::string& why,
                                  std::vector<std::pair<SiteRef, std::string>>* kept);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_DECIDE_REGIONS_H_
