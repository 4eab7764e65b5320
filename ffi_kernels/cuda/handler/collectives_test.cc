// SPDX-License-Identifier: Apache-2.0
// The requests made to XLA for a call's communicator, and how its answers are handled, with a function table in place
// of XLA.
#include "ffi_kernels/cuda/handler/collectives.h"

#include <gtest/gtest.h>

namespace jax_oneshot::cuda {
namespace {

namespace ffi = xla::ffi;

// The requests that the extension below received, and its answers.
struct FakeXla {
  std::vector<std::vector<int64_t>> groups;
  XLA_FFI_CollectiveGroupMode mode = XLA_FFI_GROUP_CROSS_REPLICA;
  int64_t communication_id = -1;
  bool fails = false;
  void* communicator = nullptr;
  int destroyed = 0;
};
FakeXla g_xla;

XLA_FFI_Error* Answer() {
  static char error = 0;
  return g_xla.fails ? reinterpret_cast<XLA_FFI_Error*>(&error) : nullptr;
}

template <typename Args>
XLA_FFI_Error* Note(const Args& args) {
  g_xla.groups.clear();
  for (size_t g = 0; g < args.num_groups; ++g) {
    g_xla.groups.emplace_back(args.groups[g].ids, args.groups[g].ids + args.groups[g].size);
  }
  g_xla.mode = args.group_mode;
  g_xla.communication_id = args.communication_id;
  return Answer();
}

XLA_FFI_Api FakeApi() {
  XLA_FFI_Api api = {};
  api.XLA_FFI_Error_GetDetails = [](XLA_FFI_Error_GetDetails_Args* args) { args->message = "no clique"; };
  api.XLA_FFI_Error_Destroy = [](XLA_FFI_Error_Destroy_Args*) { ++g_xla.destroyed; };
  return api;
}

XLA_FFI_Collectives_Extension FakeExtension() {
  XLA_FFI_Collectives_Extension extension = {};
  extension.request_communicator = [](const XLA_FFI_Collectives_Extension*, XLA_FFI_Communicator_Request_Args* args) {
    return Note(*args);
  };
  extension.get_communicator = [](const XLA_FFI_Collectives_Extension*, XLA_FFI_Communicator_Get_Args* args) {
    args->communicator = static_cast<XLA_FFI_Communicator*>(g_xla.communicator);
    return Note(*args);
  };
  return extension;
}

class CollectivesTest : public testing::Test {
 protected:
  CollectivesTest() { g_xla = FakeXla(); }

  const CliqueRequest request = CliqueRequest(*Groups::Create("cross_partition", {3, 1, 0, 2}, 2));
  const XLA_FFI_Api api = FakeApi();
  const XLA_FFI_Collectives_Extension extension = FakeExtension();
  const Collectives collectives = Collectives(&api, &extension);
};

TEST_F(CollectivesTest, RequestsTheCliqueThatXlasOwnCollectivesOfTheseGroupsUse) {
  EXPECT_TRUE(collectives.Request(request).has_value());
  EXPECT_EQ(g_xla.groups, (std::vector<std::vector<int64_t>>{{3, 1}, {0, 2}}));
  EXPECT_EQ(g_xla.mode, XLA_FFI_GROUP_CROSS_PARTITION);
  EXPECT_EQ(g_xla.communication_id, 0);
}

TEST_F(CollectivesTest, GetsTheCommunicatorOfTheSameGroups) {
  int communicator = 0;
  g_xla.communicator = &communicator;
  EXPECT_EQ(*collectives.Get(request), &communicator);
  EXPECT_EQ(g_xla.groups, (std::vector<std::vector<int64_t>>{{3, 1}, {0, 2}}));
}

TEST_F(CollectivesTest, PassesOnWhyXlaGivesNone) {
  g_xla.fails = true;
  EXPECT_EQ(collectives.Request(request).error(), "XLA gives no communicator: no clique");
  EXPECT_EQ(collectives.Get(request).error(), "XLA gives no communicator: no clique");
  EXPECT_EQ(g_xla.destroyed, 2);
}

TEST_F(CollectivesTest, DoesNotTakeNothingForACommunicator) {
  EXPECT_EQ(collectives.Get(request).error(), "XLA has no communicator for this call's groups");
}

TEST(CliqueRequest, KnowsEveryModeThatGroupsHave) {
  EXPECT_EQ(CliqueRequest(*Groups::Create("flattened_id", {}, 2)).mode, ffi::GroupMode::kFlattenedId);
  EXPECT_EQ(CliqueRequest(*Groups::Create("cross_replica", {}, 2)).mode, ffi::GroupMode::kCrossReplica);
  EXPECT_EQ(CliqueRequest(*Groups::Create("cross_partition", {}, 2)).mode, ffi::GroupMode::kCrossPartition);
}

TEST(CollectivesTag, TakesTheExtensionFromItsFirstVersionOn) {
  EXPECT_FALSE(CollectivesTag::Support(0, 0));
  EXPECT_TRUE(CollectivesTag::Support(0, 1));
  EXPECT_TRUE(CollectivesTag::Support(0, 2));
  EXPECT_FALSE(CollectivesTag::Support(1, 1));
}

}  // namespace
}  // namespace jax_oneshot::cuda
