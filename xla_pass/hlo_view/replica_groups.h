// SPDX-License-Identifier: Apache-2.0
// The replica groups of a collective as explicit lists of logical ids, and how to interpret the ids.
//
//   replica_groups=mesh['dp'=2,'tp'=4] {'tp'}   ->  {{0,1,2,3},{4,5,6,7}}
//   replica_groups=[2,4]<=[8]                   ->  the same
//   replica_groups={{0,1,2,3},{4,5,6,7}}        ->  the same
#ifndef XLA_PASS_HLO_VIEW_REPLICA_GROUPS_H_
#define XLA_PASS_HLO_VIEW_REPLICA_GROUPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot::hlo {

// XLA's CollectiveOpGroupMode.
enum class GroupMode : uint8_t { kCrossReplica, kCrossPartition, kCrossReplicaAndPartition, kFlattenedId };
const char* GroupModeName(GroupMode mode);  // "cross_replica", ...

struct ReplicaGroups {
  GroupMode mode = GroupMode::kCrossReplica;
  std::vector<std::vector<int64_t>> groups;  // empty: one group of all devices
  bool operator==(const ReplicaGroups& other) const { return mode == other.mode && groups == other.groups; }
};

// Fails on a malformed notation: a mesh whose axis sizes do not multiply to its number of devices, a sub-axis size that
// does not divide the axis, a duplicate id, groups of different sizes, an id of 2^20 or more.
Result<ReplicaGroups> DecodeReplicaGroups(const Instruction& collective);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_REPLICA_GROUPS_H_
