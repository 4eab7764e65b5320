// SPDX-License-Identifier: Apache-2.0
// Finds the shards whose row sums an all-reduce completes, if there are any.
//
//   %s = [8,64] this rank's columns; %q = multiply(convert(%s), convert(%s)); %m = reduce(%q), dimensions={1};
//   %ar = all-reduce(%m)
//   -> %s, rows 8, width 64 * ranks
//
// This is a norm of shards that follows no all-reduce of rows: the first of a scanned layer, whose residual is loop
// state.
#ifndef XLA_PASS_SHARDS_SHARD_SOURCE_H_
#define XLA_PASS_SHARDS_SHARD_SOURCE_H_

#include <optional>

#include "xla_pass/graph/graph.h"
#include "xla_pass/rows/row_shape.h"

namespace jax_oneshot {

struct ShardSource {
  Node node = kNoNode;  // in the all-reduce's own computation
  int split = 0;        // of its row layout
  RowExtent extent;     // of the whole rows
};

std::optional<ShardSource> FindShardSource(const Graph& graph, Node all_reduce, int64_t ranks);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SHARDS_SHARD_SOURCE_H_
