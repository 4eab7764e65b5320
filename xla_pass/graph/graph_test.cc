// SPDX-License-Identifier: Apache-2.0
// Graph: nodes, users, and looking through fusions and loops.
#include "xla_pass/graph/graph.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using hlo::TestComputation;
using hlo::TestInstruction;
using hlo::TestParameter;

// main(p) { f = fusion(p), calls=fused { ROOT n = negate(q) }; [g = fusion(p), calls=fused]; ROOT r = add(f, p) }
TestGraph FusionModule(bool called_twice) {
  TestComputation fused{1, "fused", {TestParameter(10, 0), TestOp(11, "n", "negate", {10})}, 11};
  fused.instructions[0].name = "q";
  TestComputation main{2, "main", {TestParameter(20, 0)}, 23};
  main.instructions[0].name = "p";
  for (int64_t id : called_twice ? std::vector<int64_t>{21, 22} : std::vector<int64_t>{21}) {
    main.instructions.push_back(TestOp(id, id == 21 ? "f" : "g", "fusion", {20}));
    main.instructions.back().called_computations = {1};
  }
  main.instructions.push_back(TestOp(23, "r", "add", {21, 20}));
  return TestGraph({fused, main}, 2);
}

TEST(Graph, ListsEachUserOnceAndInOrder) {
  const TestGraph test = FusionModule(false);
  const Span<Node> users = test.graph().users(test["p"]);
  EXPECT_EQ(std::vector<Node>(users.begin(), users.end()), (std::vector<Node>{test["f"], test["r"]}));
  EXPECT_TRUE(test.graph().users(test["r"]).empty());
  EXPECT_TRUE(test.graph().is_root(test["r"]));
  EXPECT_FALSE(test.graph().is_root(test["f"]));
}

TEST(Graph, SeesThroughAFusionThatAloneCallsItsComputation) {
  const TestGraph test = FusionModule(false);
  const int fused = test.graph().fused_computation(test["f"]);
  ASSERT_GE(fused, 0);
  EXPECT_EQ(test.graph().root(fused), test["n"]);
  EXPECT_EQ(test.graph().Outer(test["q"]), test["p"]);
}

TEST(Graph, DoesNotSeeThroughAComputationThatTwoFusionsCall) {
  const TestGraph test = FusionModule(true);
  EXPECT_EQ(test.graph().fused_computation(test["f"]), -1);
  EXPECT_EQ(test.graph().Outer(test["q"]), kNoNode);
}

TEST(Graph, GivesAnEntryParameterNoOuterValue) {
  const TestGraph test = FusionModule(false);
  EXPECT_EQ(test.graph().Outer(test["p"]), kNoNode);
  EXPECT_EQ(test.graph().Outer(test["n"]), kNoNode);
}

TEST(Graph, KnowsBothEndsOfAControlDependency) {
  TestComputation main{1, "main", {TestParameter(1, 0), TestOp(2, "a", "negate", {1}), TestOp(3, "b", "abs", {1})}, 3};
  main.instructions[2].control_predecessors = {2};
  main.instructions.push_back(TestOp(4, "c", "negate", {3}));
  const TestGraph test({main}, 1);
  EXPECT_TRUE(test.graph().has_control_edges(test["a"]));
  EXPECT_TRUE(test.graph().has_control_edges(test["b"]));
  EXPECT_FALSE(test.graph().has_control_edges(test["c"]));
}

TestInstruction Element(int64_t id, std::string name, int64_t tuple, int64_t index) {
  TestInstruction element = TestOp(id, std::move(name), "get-tuple-element", {tuple});
  element.more = wire::Writer().Integer(hlo::fields::hlo_instruction::kTupleIndex, index).Take();
  return element;
}

// start = tuple(a, b); while(start) { x = state[0]; y = state[1]; next = tuple(negate(x), y) }
TEST(Graph, FindsWhatALoopNeverChangesInFrontOfIt) {
  TestComputation body{1, "body", {TestParameter(10, 0)}, 14};
  body.instructions.push_back(Element(11, "x", 10, 0));
  body.instructions.push_back(Element(12, "y", 10, 1));
  body.instructions.push_back(TestOp(13, "next_x", "negate", {11}));
  body.instructions.push_back(TestOp(14, "next", "tuple", {13, 12}));
  TestComputation condition{2, "condition", {TestParameter(20, 0)}, 21};
  condition.instructions.push_back(Element(21, "c", 20, 1));
  TestComputation main{3, "main", {TestParameter(30, 0), TestParameter(31, 1)}, 34};
  main.instructions[0].name = "a";
  main.instructions[1].name = "b";
  main.instructions.push_back(TestOp(32, "start", "tuple", {30, 31}));
  main.instructions.push_back(TestOp(33, "loop", "while", {32}));
  main.instructions.back().called_computations = {1, 2};
  main.instructions.push_back(Element(34, "result", 33, 1));
  const TestGraph test({body, condition, main}, 3);
  EXPECT_EQ(test.graph().BeforeLoop(test["y"]), test["b"]);
  EXPECT_EQ(test.graph().BeforeLoop(test["x"]), kNoNode) << "changes from round to round";
  EXPECT_EQ(test.graph().BeforeLoop(test["c"]), kNoNode) << "read in the condition, whose result is no state";
  EXPECT_EQ(test.graph().BeforeLoop(test["result"]), kNoNode) << "stands behind the loop";
  EXPECT_EQ(test.graph().BeforeLoop(test["next_x"]), kNoNode);
}

}  // namespace
}  // namespace jax_oneshot
