// SPDX-License-Identifier: Apache-2.0
// DependencyOrder: paths, including those that exist only when a region counts as one node.
#include "xla_pass/graph/dependency_order.h"

#include <gtest/gtest.h>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

using hlo::TestComputation;
using hlo::TestParameter;

// p -> a -> b -> d;  p -> c -> d
TestGraph Diamond() {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 5};
  main.instructions.push_back(TestOp(2, "a", "negate", {1}));
  main.instructions.push_back(TestOp(3, "b", "negate", {2}));
  main.instructions.push_back(TestOp(4, "c", "abs", {1}));
  main.instructions.push_back(TestOp(5, "d", "add", {3, 4}));
  return TestGraph({main}, 1);
}

TEST(DependencyOrder, FindsAPathBackwards) {
  const TestGraph test = Diamond();
  StepBudget steps(1000);
  const DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_TRUE(order.DependsOn(test["d"], {test["a"]}));
  EXPECT_TRUE(order.DependsOn(test["b"], {test["a"]}));
}

TEST(DependencyOrder, FindsNoneBetweenBranchesNorForwards) {
  const TestGraph test = Diamond();
  StepBudget steps(1000);
  const DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_FALSE(order.DependsOn(test["c"], {test["a"]}));
  EXPECT_FALSE(order.DependsOn(test["a"], {test["d"]}));
}

TEST(DependencyOrder, CountsAMemberAsDependingOnItsOwnSet) {
  const TestGraph test = Diamond();
  StepBudget steps(1000);
  const DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_TRUE(order.DependsOn(test["c"], {test["c"]}));
}

// Two chains: p -> a1 -> a2, p -> b1 -> b2. If {a1, b2} is one node, a2 depends on b1 although no path leads there.
TEST(DependencyOrder, FollowsPathsThatOnlyExistThroughARegion) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 6};
  main.instructions.push_back(TestOp(2, "a1", "negate", {1}));
  main.instructions.push_back(TestOp(3, "a2", "negate", {2}));
  main.instructions.push_back(TestOp(4, "b1", "abs", {1}));
  main.instructions.push_back(TestOp(5, "b2", "abs", {4}));
  main.instructions.push_back(TestOp(6, "both", "add", {3, 5}));
  const TestGraph test({main}, 1);
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_FALSE(order.DependsOn(test["a2"], {test["b1"]}));
  ASSERT_TRUE(order.Contract({test["a1"], test["b2"]}, {test.graph().node(0, 0), test["b1"]}));
  EXPECT_TRUE(order.DependsOn(test["a2"], {test["b1"]}));
  EXPECT_EQ(order.region(test["a1"]), order.region(test["b2"]));
  EXPECT_EQ(order.region(test["a2"]), -1);
}

TEST(DependencyOrder, KeepsEveryUserAboveARegionItReads) {
  const TestGraph test = Diamond();
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  ASSERT_TRUE(order.Contract({test["c"]}, {test["b"]}));
  EXPECT_GT(order.level(test["c"]), order.level(test["b"]));
  EXPECT_GT(order.level(test["d"]), order.level(test["c"]));
}

// x -> ar -> wide -> sum: the call computes `wide`, and a copy of it stays outside, read by `other`.
TestGraph WithACopyOutside() {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 6};
  main.instructions.push_back(TestOp(2, "ar", "negate", {1}));
  main.instructions.push_back(TestOp(3, "wide", "convert", {2}));
  main.instructions.push_back(TestOp(4, "sum", "abs", {3}));
  main.instructions.push_back(TestOp(5, "other", "negate", {3}));
  main.instructions.push_back(TestOp(6, "both", "add", {4, 5}));
  return TestGraph({main}, 1);
}

TEST(DependencyOrder, TakesWhatAMemberReadsInTheModuleForNothingThatTheCallReads) {
  const TestGraph test = WithACopyOutside();
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_TRUE(order.Contract({test["ar"], test["sum"]}, {test.graph().node(0, 0)}));
  EXPECT_EQ(order.level(test["sum"]), order.level(test["ar"]));
  EXPECT_GT(order.level(test["wide"]), order.level(test["ar"]));
  EXPECT_GT(order.level(test["both"]), order.level(test["other"]));
  EXPECT_FALSE(order.DependsOn(test["sum"], {test["wide"]}));
  EXPECT_FALSE(order.IsReadByRegion(test["wide"]));
}

TEST(DependencyOrder, RefusesACallThatReadsWhatIsMadeOfItsResults) {
  const TestGraph test = WithACopyOutside();
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  const DependencyOrder fresh = order;
  EXPECT_FALSE(order.Contract({test["ar"], test["sum"]}, {test["wide"]}));
  EXPECT_FALSE(order.Contract({test["ar"]}, {test["ar"]}));
  for (Node node = 0; node < test.graph().size(); ++node) {
    EXPECT_EQ(order.level(node), fresh.level(node));
    EXPECT_EQ(order.region(node), -1);
    EXPECT_FALSE(order.IsReadByRegion(node));
  }
}

// p -> a1 -> a2, p -> b1 -> b2; {a1, b2} and {a2, b1} are calls: each depends on the other.
TEST(DependencyOrder, RefusesTwoCallsThatWaitForEachOther) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 6};
  main.instructions.push_back(TestOp(2, "a1", "negate", {1}));
  main.instructions.push_back(TestOp(3, "a2", "negate", {2}));
  main.instructions.push_back(TestOp(4, "b1", "abs", {1}));
  main.instructions.push_back(TestOp(5, "b2", "abs", {4}));
  main.instructions.push_back(TestOp(6, "both", "add", {3, 5}));
  const TestGraph test({main}, 1);
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  const Node p = test.graph().node(0, 0);
  ASSERT_TRUE(order.Contract({test["a1"], test["b2"]}, {p, test["b1"]}));
  EXPECT_FALSE(order.Contract({test["a2"], test["b1"]}, {test["a1"], p}));
  EXPECT_TRUE(order.Contract({test["a2"], test["both"]}, {test["a1"], test["b2"]})) << "it still answers as before";
}

TEST(DependencyOrder, FollowsControlDependenciesBehindARegion) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 4};
  main.instructions.push_back(TestOp(2, "a", "negate", {1}));
  main.instructions.push_back(TestOp(3, "b", "abs", {1}));
  main.instructions.push_back(TestOp(4, "c", "negate", {3}));
  main.instructions[2].control_predecessors = {2};
  const TestGraph test({main}, 1);
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_FALSE(order.Contract({test["a"]}, {test["c"]})) << "b waits for a, and c for b";
  EXPECT_TRUE(order.Contract({test["b"]}, {test.graph().node(0, 0)}));
}

TEST(DependencyOrder, GivesTheSafeAnswersOnceItsStepsAreSpent) {
  const TestGraph test = Diamond();
  StepBudget steps(0);
  DependencyOrder order(test.graph(), 0, &steps);
  EXPECT_TRUE(order.DependsOn(test["d"], {test["c"]}));
  EXPECT_TRUE(order.DependsOn(test["b"], {test["c"], test.graph().node(0, 0)}));
  EXPECT_FALSE(order.Contract({test["c"]}, {test["b"]})) << "d would have to be raised";
  EXPECT_EQ(order.region(test["c"]), -1);
}

TEST(DependencyOrder, KnowsNoRegionAnyMoreOnceItForgets) {
  const TestGraph test = Diamond();
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), 0, &steps);
  const int before = order.level(test["d"]);
  ASSERT_TRUE(order.Contract({test["c"]}, {test["b"]}));
  order.Forget();
  EXPECT_EQ(order.region(test["c"]), -1);
  EXPECT_EQ(order.level(test["d"]), before);
  EXPECT_FALSE(order.DependsOn(test["c"], {test["b"]}));
}

}  // namespace
}  // namespace jax_oneshot
