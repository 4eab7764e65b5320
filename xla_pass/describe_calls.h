// SPDX-License-Identifier: Apache-2.0
// Describes the calls of a rewritten computation by the names of instructions, for the report.
//
//   %ar = all-reduce(%d); %y = add(%x, %ar); %b = broadcast(%g); %n = multiply(%y, %b)
//   -> jax_oneshot.0 reads %d, %x, %g; returns %n, %y; replaces %ar, %y, %b, %n
//
// %b is no member of the region, which reads %g; it has no user left.
#ifndef XLA_PASS_DESCRIBE_CALLS_H_
#define XLA_PASS_DESCRIBE_CALLS_H_

#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/pass_report.h"
#include "xla_pass/regions/region.h"
#include "xla_pass/rewrite/rewrite_computation.h"

namespace jax_oneshot {

// By region.
std::vector<CallReport> DescribeCalls(const Graph& graph, const SiteTable& sites, const std::vector<Region>& regions,
                                      const RewrittenComputation& written);

}  // namespace jax_oneshot

#endif  // XLA_PASS_DESCRIBE_CALLS_H_
