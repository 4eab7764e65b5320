// SPDX-License-Identifier: Apache-2.0
// ExpandMeshGroups. The expected groups of `FollowsXla` are what XLA:CPU (jaxlib 0.12.0) gathers over 8 devices.
#include "xla_pass/hlo_view/mesh_groups.h"

#include <gtest/gtest.h>

#include "xla_pass/hlo_view/replica_groups_builder.h"

namespace jax_oneshot::hlo {
namespace {

using Groups = std::vector<std::vector<int64_t>>;

Groups Expand(const TestMesh& mesh, const std::vector<TestMeshAxis>& axes) {
  Result<Groups> groups = ExpandMeshGroups(TestMeshGroups(mesh, axes));
  EXPECT_TRUE(groups) << groups.error();
  return groups.value_or(Groups());
}

std::string ErrorOf(const TestMesh& mesh, const std::vector<TestMeshAxis>& axes) {
  const Result<Groups> groups = ExpandMeshGroups(TestMeshGroups(mesh, axes));
  return groups ? "expanded" : groups.error();
}

TEST(ExpandMeshGroups, FollowsXlaForWholeAxesInTheOrderOfTheReferences) {
  const TestMesh mesh = {{2, 4}};
  EXPECT_EQ(Expand(mesh, {{1}}), (Groups{{0, 1, 2, 3}, {4, 5, 6, 7}}));
  EXPECT_EQ(Expand(mesh, {{0}}), (Groups{{0, 4}, {1, 5}, {2, 6}, {3, 7}}));
  EXPECT_EQ(Expand(mesh, {{0}, {1}}), (Groups{{0, 1, 2, 3, 4, 5, 6, 7}}));
  EXPECT_EQ(Expand(mesh, {{1}, {0}}), (Groups{{0, 4, 1, 5, 2, 6, 3, 7}}));
}

TEST(ExpandMeshGroups, FollowsXlaForSubAxes) {
  EXPECT_EQ(Expand({{8}}, {{0, 1, 2}}), (Groups{{0, 4}, {1, 5}, {2, 6}, {3, 7}}));
  EXPECT_EQ(Expand({{8}}, {{0, 2, 2}}), (Groups{{0, 2}, {1, 3}, {4, 6}, {5, 7}}));
  EXPECT_EQ(Expand({{8}}, {{0, 4, 2}}), (Groups{{0, 1}, {2, 3}, {4, 5}, {6, 7}}));
  EXPECT_EQ(Expand({{8}}, {{0, 4, 2}, {0, 1, 2}}), (Groups{{0, 4, 1, 5}, {2, 6, 3, 7}}));
  EXPECT_EQ(Expand({{8}}, {{0, 1, 2}, {0, 4, 2}}), (Groups{{0, 1, 4, 5}, {2, 3, 6, 7}}));
  EXPECT_EQ(Expand({{2, 4}}, {{1, 1, 2}, {0}}), (Groups{{0, 4, 2, 6}, {1, 5, 3, 7}}));
  EXPECT_EQ(Expand({{2, 4}}, {{1, 2, 2}, {0}, {1, 1, 2}}), (Groups{{0, 2, 4, 6, 1, 3, 5, 7}}));
}

TEST(ExpandMeshGroups, FollowsXlaForOtherDeviceOrders) {
  EXPECT_EQ(Expand({{2, 4}, {}, {4, 2}, {1, 0}}, {{1}}), (Groups{{0, 2, 4, 6}, {1, 3, 5, 7}}));
  EXPECT_EQ(Expand({{2, 4}, {}, {2, 2, 2}, {1, 2, 0}}, {{1, 2, 2}}), (Groups{{0, 4}, {1, 5}, {2, 6}, {3, 7}}));
  EXPECT_EQ(Expand({{2, 2, 2}, {}, {2, 2, 2}, {2, 0, 1}}, {{2}, {0}}), (Groups{{0, 1, 2, 3}, {4, 5, 6, 7}}));
  EXPECT_EQ(Expand({{2, 4}, {7, 5, 6, 4, 0, 2, 1, 3}}, {{0}}), (Groups{{7, 0}, {5, 2}, {6, 1}, {4, 3}}));
}

TEST(ExpandMeshGroups, TakesAxesOfSizeOne) {
  EXPECT_EQ(Expand({{1, 4}}, {{1}}), (Groups{{0, 1, 2, 3}}));
  EXPECT_EQ(Expand({{1, 4}}, {{0}, {1}}), (Groups{{0, 1, 2, 3}}));
}

TEST(ExpandMeshGroups, RefusesASubAxisThatDoesNotDivide) {
  EXPECT_EQ(ErrorOf({{8}}, {{0, 1, 3}}), "sub-axis (1)3 does not divide an axis of size 8");
  EXPECT_EQ(ErrorOf({{8}}, {{0, 4, 4}}), "sub-axis (4)4 does not divide an axis of size 8");
  EXPECT_EQ(ErrorOf({{8}}, {{0, 0, 2}}), "sub-axis (0)2 does not divide an axis of size 8");
  EXPECT_EQ(ErrorOf({{8}}, {{0, int64_t{1} << 40, int64_t{1} << 40}}),
            "sub-axis (1099511627776)1099511627776 does not divide an axis of size 8");
}

TEST(ExpandMeshGroups, RefusesAxesThatOverlap) {
  EXPECT_EQ(ErrorOf({{8}}, {{0, 1, 4}, {0, 2, 4}}),
            "the groups' axes overlap: a transpose does not permute its dimensions");
  EXPECT_EQ(ErrorOf({{2, 4}}, {{1}, {1}}), "the groups' axes overlap: a transpose does not permute its dimensions");
  EXPECT_EQ(ErrorOf({{12}}, {{0, 2, 2}, {0, 3, 2}}), "sub-axes of one axis overlap");
}

TEST(ExpandMeshGroups, RefusesAMeshWhoseAxesDoNotMultiplyToItsDevices) {
  EXPECT_EQ(ErrorOf({{2, 4}, {0, 1, 2}}, {{1}}), "the mesh's axes multiply to 8, but it has 3 devices");
  EXPECT_EQ(ErrorOf({{2, 4}, {}, {4, 4}, {1, 0}}, {{1}}),
            "the mesh's device order: dimensions multiply to 16, but there are 8 devices");
}

TEST(ExpandMeshGroups, RefusesAnAxisThatIsNotThere) {
  EXPECT_EQ(ErrorOf({{2, 4}}, {{2}}), "axis 2 is not one of the mesh's 2");
  EXPECT_EQ(ErrorOf({{2, 4}}, {{-1}}), "axis -1 is not one of the mesh's 2");
}

TEST(ExpandMeshGroups, RefusesMoreAxesThanAnyMeshHas) {
  EXPECT_EQ(ErrorOf({std::vector<int64_t>(65, 1)}, {{0}}),
            "a mesh of 65 axes, 1 of them referred to; expected at most 64");
}

TEST(ExpandMeshGroups, RefusesAMissingMesh) { EXPECT_EQ(ExpandMeshGroups("").error(), "a mesh is missing"); }

}  // namespace
}  // namespace jax_oneshot::hlo
