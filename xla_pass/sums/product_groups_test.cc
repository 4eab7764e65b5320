// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/product_groups.h"

#include <gtest/gtest.h>

namespace jax_oneshot {
namespace {

TEST(ProductGroups, OfTwoAxesOfAMeshAreTheMesh) {
  const Groups tensor = {{0, 1, 2, 3}, {4, 5, 6, 7}};
  const Groups expert = {{0, 4}, {1, 5}, {2, 6}, {3, 7}};
  const Groups all = {{0, 1, 2, 3, 4, 5, 6, 7}};
  EXPECT_EQ(ProductGroups(tensor, expert), all);
  EXPECT_EQ(ProductGroups(expert, tensor), all);
}

TEST(ProductGroups, OfTwoAxesOfThreeLeaveTheThirdApart) {
  const Groups inner = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  const Groups outer = {{0, 4}, {1, 5}, {2, 6}, {3, 7}};
  EXPECT_EQ(ProductGroups(inner, outer), (Groups{{0, 1, 4, 5}, {2, 3, 6, 7}}));
}

TEST(ProductGroups, CountNoRankTwice) {
  const Groups groups = {{0, 1}, {2, 3}};
  EXPECT_EQ(ProductGroups(groups, groups), std::nullopt);
  EXPECT_EQ(ProductGroups({{0, 1, 2, 3}}, groups), std::nullopt);
  EXPECT_EQ(ProductGroups(groups, {{0, 1, 2, 3}}), std::nullopt);
}

TEST(ProductGroups, AreTheSameForAllRanksOrNone) {
  // Rank 0 would sum over {0,1,2,3}, rank 1 over {0,1,4,5}.
  EXPECT_EQ(ProductGroups({{0, 1}, {2, 3}, {4, 5}}, {{0, 2}, {1, 4}, {3, 5}}), std::nullopt);
}

TEST(ProductGroups, KnowEveryRankOfBoth) {
  EXPECT_EQ(ProductGroups({{0, 1}, {2, 3}}, {{0, 2}}), std::nullopt);
  EXPECT_EQ(ProductGroups({{0, 1}}, {{0, 2}, {1, 3}}), std::nullopt);
  EXPECT_EQ(ProductGroups({}, {{0, 1}}), std::nullopt);
}

}  // namespace
}  // namespace jax_oneshot
