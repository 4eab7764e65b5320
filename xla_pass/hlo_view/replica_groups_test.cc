// SPDX-License-Identifier: Apache-2.0
// DecodeReplicaGroups: every notation of the groups, and the group modes.
#include "xla_pass/hlo_view/replica_groups.h"

#include <gtest/gtest.h>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/replica_groups_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace field = fields::hlo_instruction;
using wire::Writer;
using Groups = std::vector<std::vector<int64_t>>;

const Groups kTwoOfFour = {{0, 1, 2, 3}, {4, 5, 6, 7}};

Result<ReplicaGroups> Decode(const std::string& bytes, int64_t channel_id = 1, bool use_global_device_ids = true) {
  Instruction collective;
  collective.bytes = bytes;
  collective.channel_id = channel_id;
  collective.use_global_device_ids = use_global_device_ids;
  return DecodeReplicaGroups(collective);
}

Groups GroupsOf(const std::string& bytes) {
  const Result<ReplicaGroups> groups = Decode(bytes);
  EXPECT_TRUE(groups) << groups.error();
  return groups ? groups->groups : Groups();
}

std::string ErrorOf(const std::string& bytes) {
  const Result<ReplicaGroups> groups = Decode(bytes);
  return groups ? "decoded" : groups.error();
}

std::string Explicit(const Groups& groups) {
  Writer out;
  for (const auto& group : groups) out.Bytes(field::kReplicaGroups, TestGroup(group));
  return out.Take();
}

std::string DeviceList(const Groups& groups) {
  Writer list;
  for (const auto& group : groups) list.Bytes(fields::collective_device_list::kReplicaGroups, TestGroup(group));
  return Writer().Bytes(field::kCollectiveDeviceList, list.str()).Take();
}

std::string Iota(int64_t groups, int64_t size, const std::vector<int64_t>& dims, const std::vector<int64_t>& perm) {
  return Writer().Bytes(field::kIotaCollectiveDeviceList, TestIotaGroups(groups, size, dims, perm)).Take();
}

std::string Mesh(const TestMesh& mesh, const std::vector<TestMeshAxis>& axes) {
  return Writer().Bytes(field::kMeshAxesReplicaGroupList, TestMeshGroups(mesh, axes)).Take();
}

TEST(DecodeReplicaGroups, ReadsAllNotationsAlike) {
  EXPECT_EQ(GroupsOf(Explicit(kTwoOfFour)), kTwoOfFour);
  EXPECT_EQ(GroupsOf(DeviceList(kTwoOfFour)), kTwoOfFour);
  EXPECT_EQ(GroupsOf(Iota(2, 4, {8}, {0})), kTwoOfFour);
  EXPECT_EQ(GroupsOf(Mesh({{2, 4}}, {{1}})), kTwoOfFour);
}

TEST(DecodeReplicaGroups, ReadsATransposedIota) {
  EXPECT_EQ(GroupsOf(Iota(2, 4, {4, 2}, {1, 0})), (Groups{{0, 2, 4, 6}, {1, 3, 5, 7}}));
}

TEST(DecodeReplicaGroups, ReadsAnIotaInsideADeviceListAsOlderXlaWroteIt) {
  const std::string list =
      Writer().Bytes(fields::collective_device_list::kIotaReplicaGroupList, TestIotaGroups(2, 4, {8}, {0})).Take();
  EXPECT_EQ(GroupsOf(Writer().Bytes(field::kCollectiveDeviceList, list).str()), kTwoOfFour);
}

TEST(DecodeReplicaGroups, ReadsNoGroupsAsEverybody) {
  EXPECT_EQ(GroupsOf(""), Groups());
  EXPECT_EQ(GroupsOf(DeviceList({})), Groups());
}

TEST(DecodeReplicaGroups, PrefersTheNotationXlaPrefersWhereverItStands) {
  const std::string iota = Iota(2, 4, {8}, {0});
  EXPECT_EQ(GroupsOf(DeviceList({}) + iota), kTwoOfFour);
  EXPECT_EQ(GroupsOf(iota + Mesh({{8}}, {{0}})), kTwoOfFour);
  EXPECT_EQ(GroupsOf(Explicit(kTwoOfFour) + DeviceList({})), kTwoOfFour);
}

TEST(DecodeReplicaGroups, KeepsTheOrderWithinAGroup) {
  EXPECT_EQ(GroupsOf(Explicit({{3, 1}, {0, 2}})), (Groups{{3, 1}, {0, 2}}));
}

TEST(DecodeReplicaGroups, TellsTheModeFromTheChannelAndTheKindOfIds) {
  EXPECT_EQ(Decode("", 0, false)->mode, GroupMode::kCrossReplica);
  EXPECT_EQ(Decode("", 1, false)->mode, GroupMode::kCrossReplicaAndPartition);
  EXPECT_EQ(Decode("", 1, true)->mode, GroupMode::kFlattenedId);
  EXPECT_STREQ(GroupModeName(GroupMode::kFlattenedId), "flattened_id");
}

TEST(DecodeReplicaGroups, RefusesAnIdTwiceOrOutOfRange) {
  EXPECT_EQ(ErrorOf(Explicit({{0, 1}, {1, 2}})), "id 1 occurs twice");
  EXPECT_EQ(ErrorOf(Explicit({{0, -1}})), "id -1 is out of range");
  EXPECT_EQ(ErrorOf(Explicit({{0, 1 << 20}})), "id 1048576 is out of range");
}

TEST(DecodeReplicaGroups, RefusesGroupsOfDifferentSizes) {
  EXPECT_EQ(ErrorOf(Explicit({{0, 1}, {2}})), "groups of 2 and of 1 ranks");
}

TEST(DecodeReplicaGroups, RefusesAMalformedIota) {
  EXPECT_EQ(ErrorOf(Iota(2, 0, {8}, {0})), "dimensions multiply to fewer than 1 or more than 1048576 devices");
  EXPECT_EQ(ErrorOf(Iota(2, 4, {4}, {0})), "dimensions multiply to 4, but there are 8 devices");
  EXPECT_EQ(ErrorOf(Iota(2, 4, {4, 2}, {1, 1})), "a transpose does not permute its dimensions");
}

TEST(DecodeReplicaGroups, RefusesIdsCutInsideAnInteger) {
  EXPECT_EQ(ErrorOf(Writer().Bytes(field::kReplicaGroups, Writer().Bytes(1, "\x80").str()).str()), "ids are malformed");
}

}  // namespace
}  // namespace jax_oneshot::hlo
