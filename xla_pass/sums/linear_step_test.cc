// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/linear_step.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

constexpr char kSteps[] = R"(
  main {
    x = f32[8,64] parameter(0)
    w = f32[8,64] parameter(1)
    zero = f32[] constant(0)
    one = f32[] constant(1)
    moved = f32[64,8] transpose(x), dimensions={1,0}
    negated = f32[8,64] negate(x)
    scaled = f32[8,64] multiply(w, x)
    squared = f32[8,64] multiply(x, x)
    divided = f32[8,64] divide(x, w)
    divides = f32[8,64] divide(w, x)
    summed = f32[8] reduce(x, zero), dimensions={1}, to_apply=add
    counted = f32[8] reduce(x, one), dimensions={1}, to_apply=add
    largest = f32[8] reduce(x, zero), dimensions={1}, to_apply=max
    shifted = f32[8,64] add(x, w)
    narrowed = bf16[8,64] convert(x)
    counts = s32[8,64] convert(x)
    bent = f32[8,64] tanh(x)
  })";

class LinearStepTest : public ::testing::Test {
 protected:
  std::optional<StepKind> Of(const std::string& name, bool is_same = true) const {
    return LinearStep(test_.graph(), test_[name], test_["x"], [&](Node) { return is_same; });
  }

  const TestGraph test_{std::string(kReducers) + kSteps};
};

TEST_F(LinearStepTest, KnowsWhatIsLinear) {
  EXPECT_EQ(Of("moved"), StepKind::kMove);
  EXPECT_EQ(Of("negated"), StepKind::kMove);
  EXPECT_EQ(Of("scaled"), StepKind::kArithmetic);
  EXPECT_EQ(Of("divided"), StepKind::kArithmetic);
  EXPECT_EQ(Of("summed"), StepKind::kReduction);
  EXPECT_EQ(Of("narrowed"), StepKind::kConvert);
}

TEST_F(LinearStepTest, KnowsWhatIsNot) {
  for (const char* name : {"squared", "divides", "counted", "largest", "shifted", "counts", "bent"}) {
    EXPECT_EQ(Of(name), std::nullopt) << name;
  }
}

TEST_F(LinearStepTest, AsksWhetherWhatElseIsReadIsTheSameEverywhere) {
  EXPECT_EQ(Of("scaled", false), std::nullopt);
  EXPECT_EQ(Of("divided", false), std::nullopt);
  EXPECT_EQ(Of("moved", false), StepKind::kMove);
}

}  // namespace
}  // namespace jax_oneshot
