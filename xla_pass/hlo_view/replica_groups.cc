// SPDX-License-Identifier: Apache-2.0
// Implementation of replica_groups.h.
#include "xla_pass/hlo_view/replica_groups.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "xla_pass/hlo_view/device_order.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/mesh_groups.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;
using Groups = std::vector<std::vector<int64_t>>;

Result<std::vector<int64_t>> ReadGroup(std::string_view bytes) {
  std::vector<int64_t> ids;
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == fields::replica_group::kReplicaIds && !AppendIntegers(f, &ids)) return Err("ids are malformed");
  }
  if (!reader.ok()) return Err(reader.error());
  return ids;
}

Result<void> AppendGroup(std::string_view bytes, Groups* groups) {
  Result<std::vector<int64_t>> group = ReadGroup(bytes);
  if (!group) return Err(group.error());
  groups->push_back(*std::move(group));
  return {};
}

Result<Groups> ExpandIota(std::string_view bytes) {
  namespace field = fields::iota_replica_group_list;
  int64_t count = 0, size = 0;
  std::vector<int64_t> dims, permutation;
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == field::kNumReplicaGroups) count = static_cast<int64_t>(f.integer);
    if (f.number == field::kNumDevicesPerGroup) size = static_cast<int64_t>(f.integer);
    if (f.number == field::kIotaReshapeDims && !AppendIntegers(f, &dims)) return Err("reshape dims are malformed");
    if (f.number == field::kIotaTransposePerm && !AppendIntegers(f, &permutation)) {
      return Err("the transpose is malformed");
    }
  }
  if (!reader.ok()) return Err(reader.error());
  const Result<int64_t> total = CheckedProduct({count, size});
  if (!total) return Err(total.error());
  if (dims.empty()) dims = {*total};
  Result<std::vector<int64_t>> order = Rearrange(Iota(*total), dims, permutation);
  if (!order) return Err(order.error());
  Groups groups;
  for (auto it = order->begin(); it != order->end(); it += size) groups.emplace_back(it, it + size);
  return groups;
}

Result<Groups> ReadDeviceList(std::string_view bytes) {
  namespace field = fields::collective_device_list;
  Groups groups;
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == field::kIotaReplicaGroupList) return ExpandIota(f.payload);
    if (f.number != field::kReplicaGroups) continue;
    if (Result<void> ok = AppendGroup(f.payload, &groups); !ok) return Err(ok.error());
  }
  if (!reader.ok()) return Err(reader.error());
  return groups;
}

// If several notations are present, XLA prefers iota, then the mesh, then the device list, then the plain groups.
int Preference(uint32_t number) {
  namespace field = fields::hlo_instruction;
  constexpr uint32_t kByPreference[] = {field::kReplicaGroups, field::kCollectiveDeviceList,
                                        field::kMeshAxesReplicaGroupList, field::kIotaCollectiveDeviceList};
  const auto* found = std::find(std::begin(kByPreference), std::end(kByPreference), number);
  return found == std::end(kByPreference) ? -1 : static_cast<int>(found - std::begin(kByPreference));
}

Result<Groups> ReadGroups(const Instruction& collective) {
  namespace field = fields::hlo_instruction;
  Field chosen;  // number 0: none
  Groups plain;
  Reader reader(collective.bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number == field::kReplicaGroups) {
      if (Result<void> ok = AppendGroup(f.payload, &plain); !ok) return Err(ok.error());
    }
    if (Preference(f.number) > Preference(chosen.number)) chosen = f;
  }
  if (!reader.ok()) return Err(reader.error());
  switch (chosen.number) {
    case field::kIotaCollectiveDeviceList:
      return ExpandIota(chosen.payload);
    case field::kMeshAxesReplicaGroupList:
      return ExpandMeshGroups(chosen.payload);
    case field::kCollectiveDeviceList: {
      Result<Groups> listed = ReadDeviceList(chosen.payload);
      return listed && listed->empty() ? Result<Groups>(std::move(plain)) : listed;  // an empty list counts as absent
    }
    default:
      return plain;
  }
}

Result<void> CheckGroups(const Groups& groups) {
  std::vector<bool> seen;  // by id
  for (const auto& group : groups) {
    if (group.size() != groups[0].size()) {
      return Err("groups of " + std::to_string(groups[0].size()) + " and of " + std::to_string(group.size()) +
                 " ranks");
    }
    for (int64_t id : group) {
      if (id < 0 || id >= kMaxDevices) return Err("id " + std::to_string(id) + " is out of range");
      if (id >= static_cast<int64_t>(seen.size())) seen.resize(static_cast<size_t>(id) + 1);
      if (seen[id]) return Err("id " + std::to_string(id) + " occurs twice");
      seen[id] = true;
    }
  }
  return {};
}

GroupMode ModeOf(const Instruction& collective) {
  if (collective.channel_id <= 0) return GroupMode::kCrossReplica;
  return collective.use_global_device_ids ? GroupMode::kFlattenedId : GroupMode::kCrossReplicaAndPartition;
}

}  // namespace

const char* GroupModeName(GroupMode mode) {
  switch (mode) {
    case GroupMode::kCrossReplica:
      return "cross_replica";
    case GroupMode::kCrossPartition:
      return "cross_partition";
    case GroupMode::kCrossReplicaAndPartition:
      return "cross_replica_and_partition";
    case GroupMode::kFlattenedId:
      return "flattened_id";
  }
  return "unknown";
}

Result<ReplicaGroups> DecodeReplicaGroups(const Instruction& collective) {
  Result<Groups> groups = ReadGroups(collective);
  if (!groups) return Err(groups.error());
  if (Result<void> ok = CheckGroups(*groups); !ok) return Err(ok.error());
  return ReplicaGroups{ModeOf(collective), *std::move(groups)};
}

}  // namespace jax_oneshot::hlo
