// SPDX-License-Identifier: Apache-2.0
// FindUselessSum: which sum is not connected with the first. (tests/test_pass_*.py cover finding sums, on whole
// modules.)
#include "xla_pass/regions/join_sums.h"

#include <gtest/gtest.h>

#include "xla_pass/translate/program_builder.h"

namespace jax_oneshot {
namespace {

int AddSum(ProgramBuilder* builder) { return builder->AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32); }

TEST(FindUselessSum, FindsNoneWhereAllMeet) {
  ProgramBuilder builder;
  const int a = AddSum(&builder);
  const int b = AddSum(&builder);
  const int c = AddSum(&builder);
  builder.Elementwise(Op::kAdd, DType::kF32, {b, c});
  builder.Elementwise(Op::kMultiply, DType::kF32, {a, c});
  EXPECT_EQ(FindUselessSum(builder.program(), 1), -1);
}

TEST(FindUselessSum, CountsSumsAndLetsConstantsConnectNothing) {
  ProgramBuilder builder;
  const int a = AddSum(&builder);
  const int b = AddSum(&builder);
  const int c = AddSum(&builder);
  const int two = builder.Constant(DType::kF32, 2);
  builder.Elementwise(Op::kMultiply, DType::kF32, {a, two});
  builder.Elementwise(Op::kAdd, DType::kF32, {a, b});
  builder.Elementwise(Op::kMultiply, DType::kF32, {c, two});
  EXPECT_EQ(FindUselessSum(builder.program(), 1), 2);
}

TEST(FindUselessSum, TakesTheGivenOnesTogetherWhateverConnectsThem) {
  ProgramBuilder builder;
  AddSum(&builder);
  const int b = AddSum(&builder);
  const int c = AddSum(&builder);
  builder.Elementwise(Op::kAdd, DType::kF32, {b, c});
  EXPECT_EQ(FindUselessSum(builder.program(), 1), 1);
  EXPECT_EQ(FindUselessSum(builder.program(), 2), -1);
  EXPECT_EQ(FindUselessSum(builder.program(), 3), -1);
}

}  // namespace
}  // namespace jax_oneshot
