// SPDX-License-Identifier: Apache-2.0
// FindReachable: which computations are reachable, and which are in a loop.
#include "xla_pass/hlo_view/reachable.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

using hlo::TestComputation;
using hlo::TestInstruction;
using hlo::TestParameter;

TestComputation Calling(int64_t id, const std::string& name, const std::string& opcode, std::vector<int64_t> callees) {
  TestInstruction call = TestOp(2, name + ".call", opcode, {1});
  call.called_computations = std::move(callees);
  return {id, name, {TestParameter(1, 0), call}, 2};
}

TestComputation Leaf(int64_t id, const std::string& name) { return {id, name, {TestParameter(1, 0)}, 1}; }

std::vector<std::string> Names(const TestGraph& test) {
  std::vector<std::string> names;
  for (const ReachableComputation& found : FindReachable(test.module())) {
    names.push_back(std::string(test.module().computations[found.computation].name) +
                    (found.in_loop ? " in loop" : ""));
  }
  return names;
}

TEST(FindReachable, FollowsWhileConditionalAndCall) {
  const TestGraph test(
      {Leaf(1, "deep"), Calling(2, "body", "call", {1}), Leaf(3, "condition"), Calling(4, "main", "while", {2, 3})}, 4);
  EXPECT_EQ(Names(test), (std::vector<std::string>{"main", "body in loop", "condition in loop", "deep in loop"}));
}

TEST(FindReachable, DoesNotEnterFusionsAndReducers) {
  const TestGraph test({Leaf(1, "fused"), Leaf(2, "unused"), Calling(3, "main", "fusion", {1})}, 3);
  EXPECT_EQ(Names(test), (std::vector<std::string>{"main"}));
}

TEST(FindReachable, ListsAComputationOnceAndInALoopWhenAnyCallerIs) {
  TestComputation main = Calling(3, "main", "call", {1});
  TestInstruction loop = TestOp(5, "loop", "while", {1});
  loop.called_computations = {2};
  main.instructions.push_back(loop);
  const TestGraph test({Leaf(1, "shared"), Calling(2, "body", "call", {1}), main}, 3);
  EXPECT_EQ(Names(test), (std::vector<std::string>{"main", "body in loop", "shared in loop"}));
}

}  // namespace
}  // namespace jax_oneshot
