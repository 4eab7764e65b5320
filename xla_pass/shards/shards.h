// SPDX-License-Identifier: Apache-2.0
// Which slices, gathers and further all-reduces match the groups and rows of a region's all-reduce.
//
// A value of the region is whole (each rank holds all columns) or sharded: the rank at position r of its group holds
// width/N columns, starting at r * width/N. Conversions between the two:
//
//   dynamic-slice(x, 0, my offset)     whole -> shard      the offset must be r * width/N on every rank
//   all-gather(s), dimensions={width}  shard -> whole      of the same ranks in the same order
//   all-reduce(reduce(s))              shard -> row sums   of the same ranks
#ifndef XLA_PASS_SHARDS_SHARDS_H_
#define XLA_PASS_SHARDS_SHARDS_H_

#include <cstdint>
#include <optional>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// How a value with columns is distributed. Values that do not vary over the width are kWhole.
enum class Distribution : uint8_t { kWhole, kShard };

class Shards {
 public:
  // `groups` outlives this object.
  Shards(const Graph& graph, const hlo::ReplicaGroups& groups, RowExtent extent);

  RowExtent extent(Distribution distribution) const { return distribution == Distribution::kWhole ? whole_ : shard_; }
  const hlo::ReplicaGroups& groups() const { return groups_; }

  // The distribution of a shape with this row layout; none if neither fits.
  std::optional<Distribution> DistributionOf(const Dims& dims, const RowLayout& fold) const;

  // `fold` is the row layout of the operand. A failure is a sentence about the instruction.
  Decision<void> CheckSlice(Node dynamic_slice, const RowLayout& fold) const;
  Decision<void> CheckGather(Node all_gather, const RowLayout& fold) const;
  Decision<void> CheckReduce(Node all_reduce, Reducer reducer) const;

 private:
  Decision<void> CheckOffset(Node dynamic_slice, int dimension) const;

  const Graph& graph_;
  const hlo::ReplicaGroups& groups_;
  int64_t ranks_ = 0;
  RowExtent whole_, shard_;  // shard_.width is 0 unless the ranks divide the width into shards of at least two columns
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_SHARDS_SHARDS_H_
