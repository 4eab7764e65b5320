// SPDX-License-Identifier: Apache-2.0
// The slot of each device, and the error for a device without one.
#include "ffi_kernels/comm/groups.h"

#include <gtest/gtest.h>

namespace jax_oneshot {
namespace {

Groups Make(const char* mode, std::vector<int64_t> ids, int64_t size) {
  Result<Groups> groups = Groups::Create(mode, std::move(ids), size);
  EXPECT_TRUE(groups.has_value()) << groups.error();
  return *groups;
}

std::string ErrorOf(const char* mode, std::vector<int64_t> ids, int64_t size) {
  Result<Groups> groups = Groups::Create(mode, std::move(ids), size);
  return groups ? "no error" : groups.error();
}

TEST(Groups, IndexAPartitionByItsPositionInItsGroup) {
  const Groups groups = Make("cross_partition", {0, 2, 3, 1}, 2);
  EXPECT_EQ(groups.Find(0, 1)->group, 1);
  EXPECT_EQ(groups.Find(0, 1)->index, 1);
  EXPECT_EQ(groups.Find(0, 2)->group, 0);
  EXPECT_EQ(groups.Text(), "{{0,2},{3,1}}");
}

TEST(Groups, KeepPartitionsOfDifferentReplicasApart) {
  const Groups groups = Make("cross_partition", {}, 4);
  EXPECT_EQ(groups.Find(0, 3)->index, groups.Find(1, 3)->index);
  EXPECT_NE(groups.Find(0, 3)->instance, groups.Find(1, 3)->instance);
}

TEST(Groups, KeepReplicasOfDifferentPartitionsApart) {
  const Groups groups = Make("cross_replica", {1, 0}, 2);
  EXPECT_EQ(groups.Find(0, 5)->index, 1);
  EXPECT_EQ(groups.Find(0, 5)->instance, 5);
}

TEST(Groups, ReadAFlattenedIdWhereOneOfTheTwoIsZero) {
  const Groups groups = Make("flattened_id", {0, 1, 2, 3, 4, 5, 6, 7}, 4);
  EXPECT_EQ(groups.Find(0, 6)->group, 1);
  EXPECT_EQ(groups.Find(6, 0)->index, 2);
  EXPECT_EQ(groups.Find(6, 0)->instance, 0);
}

TEST(Groups, RefuseAFlattenedIdOfManyReplicasAndPartitions) {
  const Result<RankSlot> slot = Make("flattened_id", {}, 4).Find(1, 1);
  ASSERT_FALSE(slot.has_value());
  EXPECT_EQ(slot.error(),
            "replica 1, partition 1: a flattened id needs the number of partitions, which is known only where a module "
            "has one replica or one partition");
}

TEST(Groups, NameTheIdThatStandsInNoGroup) {
  const Groups groups = Make("cross_partition", {0, 1, 4, 5}, 2);
  EXPECT_EQ(groups.Find(0, 2).error(), "partition 2 is in none of the groups {{0,1},{4,5}}");
  EXPECT_EQ(groups.Find(0, 99).error(), "partition 99 is in none of the groups {{0,1},{4,5}}");
  EXPECT_TRUE(groups.Find(0, 4).has_value());
}

TEST(Groups, RefuseIdsThatMakeNoGroups) {
  EXPECT_EQ(ErrorOf("cross_partition", {0, 1, 2}, 2),
            "attribute groups has 3 ids, expected a multiple of group_size 2");
  EXPECT_EQ(ErrorOf("cross_partition", {0, 1, 1, 2}, 2), "attribute groups has id 1 twice");
  EXPECT_EQ(ErrorOf("cross_partition", {0, -1}, 2), "attribute groups has id -1, expected 0 to 1048575");
  EXPECT_EQ(ErrorOf("cross_partition", {}, 0), "attribute group_size is 0, expected 1 to 1024");
}

TEST(Groups, RefuseModesTheyCannotServe) {
  EXPECT_EQ(ErrorOf("everywhere", {0, 1}, 2),
            "attribute group_mode is \"everywhere\", expected flattened_id, cross_replica or cross_partition");
  EXPECT_NE(ErrorOf("cross_replica_and_partition", {0, 1}, 2).find("expanded to flattened ids"), std::string::npos);
}

TEST(Groups, AreGivenBackAsTheyWereMade) {
  for (const char* mode : {"flattened_id", "cross_replica", "cross_partition"}) {
    const Groups groups = *Groups::Create(mode, {3, 1, 0, 2}, 2);
    EXPECT_EQ(groups.mode(), std::string(mode));
    EXPECT_EQ(groups.Lists(), (std::vector<std::vector<int64_t>>{{3, 1}, {0, 2}}));
  }
  EXPECT_EQ(Groups::Create("flattened_id", {}, 3)->Lists(), (std::vector<std::vector<int64_t>>{{0, 1, 2}}));
}

}  // namespace
}  // namespace jax_oneshot
