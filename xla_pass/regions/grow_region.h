// SPDX-License-Identifier: Apache-2.0
// Grows the region after an all-reduce: how far row-wise math extends, what it reads, and what it returns.
//
//   %ar = all-reduce(%dot); %y = add(%x, %ar); %n = norm(%y); %d = dot(%n, %w); ... uses of %y ...
//   -> members {%ar, %y, the instructions of %n}, operands {%dot, %x, gamma}, outputs {%n, %y}, ends before %d
//
// If a norm is sharded, the slice before it, the all-reduce of its row sums and the all-gathers after it are members
// too (shards.h).
//
// Read-only: the module is changed only after all decisions.
#ifndef XLA_PASS_REGIONS_GROW_REGION_H_
#define XLA_PASS_REGIONS_GROW_REGION_H_

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/overwritten_values.h"
#include "xla_pass/graph/replication.h"
#include "xla_pass/regions/region.h"
#include "xla_pass/sites/message_limits.h"
#include "xla_pass/translate/known_programs.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

struct GrowOptions {
  // The compiler still fuses elementwise consumers after the pass (GPU), so do not absorb those that it fuses for free.
  bool compiler_fuses_later = false;
  MessageLimits max_bytes = {};  // the largest message per rank
  ReplicationCache* replication = nullptr;
  KnownPrograms* programs = nullptr;
  const OverwrittenValues* overwritten = nullptr;  // null: copies are inserted after the pass (GPU)
};

// Fails only on an internal error: an all-reduce alone is a region, unless its layout is not row-major
// (Region::kept_because).
Decision<Region> GrowRegion(const Graph& graph, const SiteTable& sites, const DependencyOrder& order, SiteRef seed,
                            const GrowOptions& options);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_GROW_REGION_H_
