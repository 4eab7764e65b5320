// SPDX-License-Identifier: Apache-2.0
// ClassifyReducer goes by the instructions of a computation, not by its name.
#include "xla_pass/graph/reducer.h"

#include <gtest/gtest.h>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

using hlo::TestComputation;
using hlo::TestParameter;

Reducer Classify(TestComputation computation) {
  const TestGraph test({std::move(computation)}, 1);
  return ClassifyReducer(test.module().computations[0]);
}

TestComputation Binary(const std::string& opcode, std::vector<int64_t> operands) {
  return {1, "anything", {TestParameter(1, 0), TestParameter(2, 1), TestOp(3, "out", opcode, std::move(operands))}, 3};
}

TEST(ClassifyReducer, KnowsSumMaximumAndMinimumInEitherOrder) {
  EXPECT_EQ(Classify(Binary("add", {1, 2})), Reducer::kSum);
  EXPECT_EQ(Classify(Binary("add", {2, 1})), Reducer::kSum);
  EXPECT_EQ(Classify(Binary("maximum", {1, 2})), Reducer::kMax);
  EXPECT_EQ(Classify(Binary("minimum", {2, 1})), Reducer::kMin);
}

TEST(ClassifyReducer, LooksThroughConverts) {
  TestComputation promoted{1, "promoted", {TestParameter(1, 0), TestParameter(2, 1)}, 6};
  promoted.instructions.push_back(TestOp(3, "a", "convert", {1}));
  promoted.instructions.push_back(TestOp(4, "b", "convert", {2}));
  promoted.instructions.push_back(TestOp(5, "sum", "add", {3, 4}));
  promoted.instructions.push_back(TestOp(6, "out", "convert", {5}));
  EXPECT_EQ(Classify(promoted), Reducer::kSum);
}

TEST(ClassifyReducer, RefusesOneArgumentTwiceAndOtherOperations) {
  EXPECT_EQ(Classify(Binary("add", {1, 1})), Reducer::kOther);
  EXPECT_EQ(Classify(Binary("multiply", {1, 2})), Reducer::kOther);
  TestComputation negated{1, "add", {TestParameter(1, 0), TestParameter(2, 1)}, 4};
  negated.instructions.push_back(TestOp(3, "sum", "add", {1, 2}));
  negated.instructions.push_back(TestOp(4, "out", "negate", {3}));
  EXPECT_EQ(Classify(negated), Reducer::kOther);
}

}  // namespace
}  // namespace jax_oneshot
