// SPDX-License-Identifier: Apache-2.0
// Maps (replica, partition) to a group and a slot within it, given a call's group mode and replica groups.
//
//   cross_partition  {{0,1,2,3},{4,5,6,7}}   partition 6 of replica 0 -> group 1, slot 2, separate from other replicas
#ifndef FFI_KERNELS_COMM_GROUPS_H_
#define FFI_KERNELS_COMM_GROUPS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot {

struct RankSlot {
  int group = 0;
  int index = 0;         // the rank within the group: the order of the sum
  int64_t instance = 0;  // ranks rendezvous only within the same group and instance
};

class Groups {
 public:
  // `ids`: group after group, `group_size` each; empty: one group of 0 .. group_size-1.
  static Result<Groups> Create(std::string_view mode, std::vector<int64_t> ids, int64_t group_size);

  // Fails if the id is in no group, or if it cannot be computed (flattened ids of a module with several replicas and
  // several partitions).
  Result<RankSlot> Find(uint32_t replica, uint32_t partition) const;

  int group_size() const { return group_size_; }
  std::vector<std::vector<int64_t>> Lists() const;  // the ids, one list per group
  const char* mode() const;                         // as accepted by Create
  int64_t id(int group, int index) const { return ids_[static_cast<size_t>(group) * group_size_ + index]; }
  std::string Text(int group) const;  // "{0,1,2,3}"
  std::string Text() const;           // "{{0,1,2,3},{4,5,6,7}}", shortened when long

 private:
  enum class Mode : uint8_t { kFlattenedId, kCrossReplica, kCrossPartition };

  Groups(Mode mode, std::vector<int64_t> ids, int group_size);

  Mode mode_;
  std::vector<int64_t> ids_;
  int group_size_;
  std::vector<int32_t> position_;  // by id: its index in ids_, or -1
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_COMM_GROUPS_H_
