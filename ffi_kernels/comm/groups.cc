// SPDX-License-Identifier: Apache-2.0
// Implementation of groups.h.
#include "ffi_kernels/comm/groups.h"

#include <algorithm>
#include <utility>

namespace jax_oneshot {
namespace {

constexpr int64_t kMaxId = int64_t{1} << 20;
constexpr int64_t kMaxGroupSize = 1024;
constexpr size_t kGroupsShown = 8;

std::string GroupText(const int64_t* ids, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + std::to_string(ids[i]);
  return text + "}";
}

Result<void> CheckIds(const std::vector<int64_t>& ids, int64_t group_size) {
  if (group_size < 1 || group_size > kMaxGroupSize) {
    return Err("attribute group_size is " + std::to_string(group_size) + ", expected 1 to " +
               std::to_string(kMaxGroupSize));
  }
  if (ids.size() % static_cast<size_t>(group_size) != 0) {
    return Err("attribute groups has " + std::to_string(ids.size()) + " ids, expected a multiple of group_size " +
               std::to_string(group_size));
  }
  std::vector<int64_t> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty() && (sorted.front() < 0 || sorted.back() >= kMaxId)) {
    return Err("attribute groups has id " + std::to_string(sorted.front() < 0 ? sorted.front() : sorted.back()) +
               ", expected 0 to " + std::to_string(kMaxId - 1));
  }
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) return Err("attribute groups has id " + std::to_string(*twice) + " twice");
  return {};
}

}  // namespace

Groups::Groups(Mode mode, std::vector<int64_t> ids, int group_size)
    : mode_(mode), ids_(std::move(ids)), group_size_(group_size) {
  position_.assign(static_cast<size_t>(*std::max_element(ids_.begin(), ids_.end())) + 1, -1);
  for (size_t i = 0; i < ids_.size(); ++i) position_[static_cast<size_t>(ids_[i])] = static_cast<int32_t>(i);
}

Result<Groups> Groups::Create(std::string_view mode, std::vector<int64_t> ids, int64_t group_size) {
  const Result<void> checked = CheckIds(ids, group_size);
  if (!checked) return Err(checked.error());
  for (int64_t id = 0; ids.size() < static_cast<size_t>(group_size); ++id) ids.push_back(id);
  const int size = static_cast<int>(group_size);
  if (mode == "flattened_id") return Groups(Mode::kFlattenedId, std::move(ids), size);
  if (mode == "cross_replica") return Groups(Mode::kCrossReplica, std::move(ids), size);
  if (mode == "cross_partition") return Groups(Mode::kCrossPartition, std::move(ids), size);
  if (mode == "cross_replica_and_partition") {
    return Err(
        "attribute group_mode is cross_replica_and_partition: its groups span all partitions, whose number a handler "
        "cannot know; expected the groups expanded to flattened ids (group_mode flattened_id)");
  }
  return Err("attribute group_mode is \"" + std::string(mode) +
             "\", expected flattened_id, cross_replica or cross_partition");
}

Result<RankSlot> Groups::Find(uint32_t replica, uint32_t partition) const {
  if (mode_ == Mode::kFlattenedId && replica != 0 && partition != 0) {
    return Err("replica " + std::to_string(replica) + ", partition " + std::to_string(partition) +
               ": a flattened id needs the number of partitions, which is known only where a module has one replica or "
               "one partition");
  }
  RankSlot slot;
  int64_t id = static_cast<int64_t>(replica) + partition;  // flattened: one of the two is zero
  if (mode_ == Mode::kCrossReplica) {
    id = replica;
    slot.instance = partition;
  } else if (mode_ == Mode::kCrossPartition) {
    id = partition;
    slot.instance = replica;
  }
  const int32_t position = id < static_cast<int64_t>(position_.size()) ? position_[static_cast<size_t>(id)] : -1;
  if (position < 0) {
    const char* kind = mode_ == Mode::kCrossReplica     ? "replica "
                       : mode_ == Mode::kCrossPartition ? "partition "
                                                        : "id ";
    return Err(kind + std::to_string(id) + " is in none of the groups " + Text());
  }
  slot.group = position / group_size_;
  slot.index = position % group_size_;
  return slot;
}

std::vector<std::vector<int64_t>> Groups::Lists() const {
  std::vector<std::vector<int64_t>> lists;
  for (size_t i = 0; i < ids_.size(); i += static_cast<size_t>(group_size_)) {
    const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(i);
    lists.emplace_back(first, first + group_size_);
  }
  return lists;
}

const char* Groups::mode() const {
  return mode_ == Mode::kCrossReplica     ? "cross_replica"
         : mode_ == Mode::kCrossPartition ? "cross_partition"
                                          : "flattened_id";
}

std::string Groups::Text(int group) const {
  return GroupText(ids_.data() + static_cast<size_t>(group) * group_size_, group_size_);
}

std::string Groups::Text() const {
  const size_t count = ids_.size() / group_size_;
  std::string text = "{";
  for (size_t g = 0; g < std::min(count, kGroupsShown); ++g) text += (g == 0 ? "" : ",") + Text(static_cast<int>(g));
  return text + (count > kGroupsShown ? ", ... " + std::to_string(count) + " groups}" : "}");
}

}  // namespace jax_oneshot
