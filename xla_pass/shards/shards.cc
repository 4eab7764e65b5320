// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/shards/shards.h"

#include <algorithm>
#include <string>
#include <vector>

#include "xla_pass/graph/rank_expression.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using Group = std::vector<int64_t>;

// Compares sets of ranks, and if `ordered` also their order within a group; the order of the groups is irrelevant.
bool SameGroups(hlo::ReplicaGroups a, hlo::ReplicaGroups b, bool ordered) {
  for (hlo::ReplicaGroups* groups : {&a, &b}) {
    if (!ordered) {
      for (Group& group : groups->groups) std::sort(group.begin(), group.end());
    }
    std::sort(groups->groups.begin(), groups->groups.end());
  }
  return a == b;
}

// The only dimension whose size differs between the shapes, if it is the major one of the width; else -1. Shards are
// then consecutive columns of the row.
int ColumnDimension(const Dims& a, const Dims& b, const RowLayout& fold) {
  int found = -1;
  if (a.size() != b.size()) return -1;
  for (int d = 0; d < static_cast<int>(a.size()); ++d) {
    if (a[d] == b[d]) continue;
    if (found >= 0) return -1;
    found = d;
  }
  if (found < 0 || fold.IsRow(found)) return -1;
  return Product(a, fold.columns_first ? 0 : fold.split, found) == 1 ? found : -1;
}

}  // namespace

Shards::Shards(const Graph& graph, const hlo::ReplicaGroups& groups, RowExtent extent)
    : graph_(graph), groups_(groups), whole_(extent), shard_{extent.rows, 0} {
  if (groups.groups.empty()) return;
  ranks_ = static_cast<int64_t>(groups.groups[0].size());
  if (ranks_ > 1 && extent.width % ranks_ == 0 && extent.width > ranks_) shard_.width = extent.width / ranks_;
}

std::optional<Distribution> Shards::DistributionOf(const Dims& dims, const RowLayout& fold) const {
  const int64_t width = ExtentAt(dims, fold).width;
  if (width == 1 || width == whole_.width) return Distribution::kWhole;
  if (width == shard_.width) return Distribution::kShard;
  return std::nullopt;
}

Decision<void> Shards::CheckSlice(Node dynamic_slice, const RowLayout& fold) const {
  const hlo::Instruction& instruction = graph_.at(dynamic_slice);
  const hlo::Shape& from = *graph_.at(graph_.operand(dynamic_slice, 0)).shape;
  const Dims to = instruction.shape->dimensions;
  const int dimension = ColumnDimension(from.dimensions, to, fold);
  if (dimension < 0 || graph_.operand_count(dynamic_slice) != 1 + static_cast<int>(to.size())) {
    return Refuse<ReasonId::kSliceNotOfColumns>();
  }
  const int64_t width = ExtentAt(to, fold).width;
  if (shard_.width == 0 || width != shard_.width) {
    return Refuse<ReasonId::kSliceOfOtherWidth>(width, whole_.width, ranks_);
  }
  return CheckOffset(dynamic_slice, dimension);
}

Decision<void> Shards::CheckOffset(Node dynamic_slice, int dimension) const {
  const int64_t size = graph_.at(dynamic_slice).shape->dimensions[dimension];
  const int64_t last = graph_.at(graph_.operand(dynamic_slice, 0)).shape->dimensions[dimension] - size;
  for (const Group& group : groups_.groups) {
    for (size_t place = 0; place < group.size(); ++place) {
      RankExpression expression(graph_, groups_.mode, group[place]);
      const Result<int64_t> offset = expression.Evaluate(graph_.operand(dynamic_slice, 1 + dimension));
      if (!offset) return Refuse<ReasonId::kSliceOffsetUnknown>(offset.error());
      const int64_t expected = static_cast<int64_t>(place) * size;
      const int64_t taken = std::clamp<int64_t>(*offset, 0, last);
      if (taken != expected) return Refuse<ReasonId::kSliceAtOtherOffset>(group[place], taken, expected);
    }
  }
  return {};
}

Decision<void> Shards::CheckGather(Node all_gather, const RowLayout& fold) const {
  const hlo::Instruction& instruction = graph_.at(all_gather);
  if (graph_.operand_count(all_gather) != 1 || instruction.shape->IsTuple()) return Refuse<ReasonId::kGathersSeveral>();
  const Dims from = graph_.at(graph_.operand(all_gather, 0)).shape->dimensions;
  const Dims to = instruction.shape->dimensions;
  const int dimension = ColumnDimension(from, to, fold);
  if (dimension < 0 || ExtentAt(to, fold).width != whole_.width || instruction.dimensions.size() != 1 ||
      instruction.dimensions[0] != dimension) {
    return Refuse<ReasonId::kGatherNotOfColumns>();
  }
  const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(instruction);
  if (!groups) return Refuse<ReasonId::kUnknownGroups>(groups.error());
  if (!SameGroups(groups_, *groups, /*ordered=*/true)) return Refuse<ReasonId::kOtherGroup>();
  return {};
}

Decision<void> Shards::CheckReduce(Node all_reduce, Reducer reducer) const {
  const hlo::Instruction& instruction = graph_.at(all_reduce);
  const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(instruction);
  if (!groups) return Refuse<ReasonId::kUnknownGroups>(groups.error());
  if (!SameGroups(groups_, *groups, /*ordered=*/false)) return Refuse<ReasonId::kOtherGroup>();
  if (instruction.called_computations.size() != 1 ||
      ClassifyReducer(graph_.module().computations[instruction.called_computations[0]]) != reducer) {
    return Refuse<ReasonId::kReducesDifferently>();
  }
  return {};
}

}  // namespace jax_oneshot
