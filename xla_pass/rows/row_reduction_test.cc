// SPDX-License-Identifier: Apache-2.0
// Row reductions: operation, initial value and windows.
#include "xla_pass/rows/row_reduction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

TestGraph Main(const std::string& body) {
  return TestGraph(std::string(kReducers) + R"(
    min { a = f32[] parameter(0)
          b = f32[] parameter(1)
          r = f32[] minimum(a, b) }
    product { c = f32[] parameter(0)
              d = f32[] parameter(1)
              q = f32[] multiply(c, d) }
    main { x = f32[8,64] parameter(0)
           zero = f32[] constant(0) )" +
                   body + "}");
}

TEST(RowReductionOp, KnowsSumMaximumAndMinimumByWhatTheyDo) {
  const auto op_of = [](const std::string& reducer) {
    const TestGraph test = Main("m = f32[8] reduce(x, zero), dimensions={1}, to_apply=" + reducer);
    return RowReductionOp(test.graph(), test["m"]);
  };
  EXPECT_EQ(op_of("add").value(), Op::kReduceSum);
  EXPECT_EQ(op_of("max").value(), Op::kReduceMax);
  EXPECT_EQ(op_of("min").value(), Op::kReduceMin);
  EXPECT_EQ(Refusal(op_of("product")), "its reduction is not a sum, maximum or minimum");
}

TEST(RowReductionOp, RefusesSeveralValuesAtOnce) {
  const TestGraph test =
      Main("m = (f32[8], f32[8]) reduce(x, x, zero, zero), dimensions={1}, to_apply=add  n = f32[8] reduce(x, zero)");
  EXPECT_EQ(Refusal(RowReductionOp(test.graph(), test["m"])), "reduce of several values has no row form");
  EXPECT_EQ(Refusal(RowReductionOp(test.graph(), test["n"])), "reduce of several values has no row form")
      << "without a computation";
}

TEST(RowReduction, NamesWhatBelongsToEachReduction) {
  EXPECT_EQ(CombiningOp(Op::kReduceSum), Op::kAdd);
  EXPECT_EQ(CombiningOp(Op::kReduceMax), Op::kMaximum);
  EXPECT_EQ(CombiningOp(Op::kReduceMin), Op::kMinimum);
  EXPECT_EQ(ReducerOf(Op::kReduceSum), Reducer::kSum);
  EXPECT_EQ(ReducerOf(Op::kReduceMax), Reducer::kMax);
  EXPECT_EQ(ReducerOf(Op::kReduceMin), Reducer::kMin);
  EXPECT_EQ(IdentityOf(Op::kReduceSum), 0);
  EXPECT_EQ(IdentityOf(Op::kReduceMax), -HUGE_VAL);
  EXPECT_EQ(IdentityOf(Op::kReduceMin), HUGE_VAL);
}

TEST(InitialValue, IsAConstantHereOrInFrontOfTheFusion) {
  const TestGraph test(std::string(kReducers) + R"(
    fused { p = f32[8,64] parameter(0)
            start = f32[] parameter(1)
            m = f32[8] reduce(p, start), dimensions={1}, to_apply=add }
    main { x = f32[8,64] parameter(0)
           four = f32[] constant(4)
           f = f32[8] fusion(x, four), calls=fused
           n = f32[8] reduce(x, four), dimensions={1}, to_apply=add })");
  EXPECT_EQ(InitialValue(test.graph(), test["m"]).value(), 4);
  EXPECT_EQ(InitialValue(test.graph(), test["n"]).value(), 4);
}

TEST(InitialValue, IsRefusedWhereItIsComputed) {
  const TestGraph test = Main("s = f32[] negate(zero)  m = f32[8] reduce(x, s), dimensions={1}, to_apply=add");
  EXPECT_EQ(Refusal(InitialValue(test.graph(), test["m"])), "its initial value is not a constant");
}

// Windows over [8,64], where the second dimension is the width.
std::string WindowRefusal(const std::string& shape, const std::string& window) {
  const TestGraph test = Main("w = " + shape + " reduce-window(x, zero), window=" + window + ", to_apply=add");
  return Refusal(CheckWindows(test.graph(), test["w"], {1}));
}

TEST(CheckWindows, TakesWindowsThatTileTheRow) {
  EXPECT_EQ(WindowRefusal("f32[8,2]", "{size=1x32 stride=1x32}"), "");
  EXPECT_EQ(WindowRefusal("f32[8,3]", "{size=1x32 stride=1x32 pad=0_0x16_16}"), "") << "padding holds the identity";
}

TEST(CheckWindows, RefusesWindowsThatOverlapLeaveOutOrMixRows) {
  const std::string why = "its window does not tile the row";
  EXPECT_EQ(WindowRefusal("f32[8,3]", "{size=1x32 stride=1x16}"), why) << "overlap";
  EXPECT_EQ(WindowRefusal("f32[8,2]", "{size=1x32 stride=1x16}"), why) << "and say that there are two of them";
  EXPECT_EQ(WindowRefusal("f32[8,1]", "{size=1x32 stride=1x32}"), why) << "half of the row is left out";
  EXPECT_EQ(WindowRefusal("f32[8,3]", "{size=1x32 stride=1x32}"), why) << "more than there is";
  EXPECT_EQ(WindowRefusal("f32[4,2]", "{size=2x32 stride=2x32}"), why) << "two rows in one window";
  EXPECT_EQ(WindowRefusal("f32[9,2]", "{size=1x32 stride=1x32 pad=0_1x0_0}"), why) << "a row that is not there";
  EXPECT_EQ(WindowRefusal("f32[8,2]", "{size=1x32 stride=1x32 pad=0_0x-32_32}"), why) << "the row begins outside";
}

TEST(CheckWindows, RefusesAWindowOfAnotherRank) {
  EXPECT_EQ(WindowRefusal("f32[8,2]", "{size=32 stride=32}"), "its window cannot be read");
}

}  // namespace
}  // namespace jax_oneshot
