// DependencyOrder: paths, and paths that exist only once regions count as one node.
#include "xla_pass/match/dependency_order.h"

#include <gtest/gtest.h>

#include "xla_pass/match/test_graph.h"

namespace jax_oneshot {
namespace {

using hlo::HandComputation;
using hlo::HandParameter;

// p -> a -> b -> d;  p -> c -> d
TestGraph Diamond() {
  HandComputation main{1, "main", {HandParameter(1, 0)}, 5};
  main.instructions.push_back(HandOp(2, "a", "negate", {1}));
  main.instructions.push_back(HandOp(3, "b", "negate", {2}));
  main.instructions.push_back(HandOp(4, "c", "abs", {1}));
  main.instructions.push_back(HandOp(5, "d", "add", {3, 4}));
  return TestGraph({main}, 1);
}

TEST(DependencyOrder, FindsAPathBackwards) {
  const TestGraph test = Diamond();
  const DependencyOrder order(test.graph(), 0);
  EXPECT_TRUE(order.DependsOn(test["d"], {test["a"]}));
  EXPECT_TRUE(order.DependsOn(test["b"], {test["a"]}));
}

TEST(DependencyOrder, FindsNoneBetweenBranchesNorForwards) {
  const TestGraph test = Diamond();
  const DependencyOrder order(test.graph(), 0);
  EXPECT_FALSE(order.DependsOn(test["c"], {test["a"]}));
  EXPECT_FALSE(order.DependsOn(test["a"], {test["d"]}));
}

TEST(DependencyOrder, CountsAMemberAsDependingOnItsOwnSet) {
  const TestGraph test = Diamond();
  const DependencyOrder order(test.graph(), 0);
  EXPECT_TRUE(order.DependsOn(test["c"], {test["c"]}));
}

// Two chains: p -> a1 -> a2, p -> b1 -> b2. With {a1, b2} one node, a2 depends on b1, which no path showed before.
TEST(DependencyOrder, FollowsPathsThatOnlyExistThroughARegion) {
  HandComputation main{1, "main", {HandParameter(1, 0)}, 6};
  main.instructions.push_back(HandOp(2, "a1", "negate", {1}));
  main.instructions.push_back(HandOp(3, "a2", "negate", {2}));
  main.instructions.push_back(HandOp(4, "b1", "abs", {1}));
  main.instructions.push_back(HandOp(5, "b2", "abs", {4}));
  main.instructions.push_back(HandOp(6, "both", "add", {3, 5}));
  const TestGraph test({main}, 1);
  DependencyOrder order(test.graph(), 0);
  EXPECT_FALSE(order.DependsOn(test["a2"], {test["b1"]}));
  order.Contract({test["a1"], test["b2"]}, {test.graph().node(0, 0), test["b1"]});
  EXPECT_TRUE(order.DependsOn(test["a2"], {test["b1"]}));
  EXPECT_EQ(order.region(test["a1"]), order.region(test["b2"]));
  EXPECT_EQ(order.region(test["a2"]), -1);
}

TEST(DependencyOrder, KeepsEveryUserAboveARegionItReads) {
  const TestGraph test = Diamond();
  DependencyOrder order(test.graph(), 0);
  order.Contract({test["c"]}, {test["b"]});
  EXPECT_GT(order.level(test["c"]), order.level(test["b"]));
  EXPECT_GT(order.level(test["d"]), order.level(test["c"]));
}

}  // namespace
}  // namespace jax_oneshot
