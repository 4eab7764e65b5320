// SPDX-License-Identifier: Apache-2.0
// StepBudget: the remaining steps, and that a spent budget stays spent.
#include "xla_pass/graph/step_budget.h"

#include <gtest/gtest.h>

namespace jax_oneshot {
namespace {

TEST(StepBudget, IsSpentByTheFirstStepTooMany) {
  StepBudget steps(3);
  EXPECT_TRUE(steps.Spend(2));
  EXPECT_TRUE(steps.Spend());
  EXPECT_FALSE(steps.IsSpent());
  EXPECT_FALSE(steps.Spend());
  EXPECT_TRUE(steps.IsSpent());
}

TEST(StepBudget, StaysSpentHoweverLittleIsAskedFor) {
  StepBudget steps(3);
  EXPECT_FALSE(steps.Spend(INT64_MAX));
  EXPECT_FALSE(steps.Spend(0));
  EXPECT_FALSE(steps.Spend(INT64_MAX));
}

TEST(StepBudget, GrowsWithTheModuleInALine) {
  EXPECT_EQ(StepsFor(2000) - StepsFor(1000), StepsFor(1000) - StepsFor(0));
}

}  // namespace
}  // namespace jax_oneshot
