// SPDX-License-Identifier: Apache-2.0
// Cases in which libraries differ: NaN, signed zeros, ties.
#include "row_program/scalar_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace jax_oneshot {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

float Apply(Op op, float x, float y = 0, float z = 0) { return ApplyScalarOp(op, Direction::kEq, x, y, z); }
bool Compare(Direction direction, float x, float y) { return ApplyScalarOp(Op::kCompare, direction, x, y, 0) != 0; }
bool IsNegativeZero(float x) { return x == 0 && std::signbit(x); }

TEST(ScalarOps, PropagatesNaNThroughMaximumAndMinimumFromEitherSide) {
  for (const Op op : {Op::kMaximum, Op::kMinimum}) {
    EXPECT_TRUE(std::isnan(Apply(op, kNaN, 1)));
    EXPECT_TRUE(std::isnan(Apply(op, 1, kNaN)));
  }
  EXPECT_EQ(Apply(Op::kMaximum, -kInf, 1), 1);
  EXPECT_EQ(Apply(Op::kMinimum, -kInf, 1), -kInf);
  EXPECT_FALSE(std::signbit(Apply(Op::kMaximum, -0.0f, 0.0f)));
  EXPECT_TRUE(std::signbit(Apply(Op::kMinimum, 0.0f, -0.0f)));
}

TEST(ScalarOps, ClampsToHighWhereTheBoundsCrossAndKeepsNaN) {
  EXPECT_EQ(Apply(Op::kClamp, -1, 5, 1), 1);
  EXPECT_EQ(Apply(Op::kClamp, -1, -5, 1), -1);
  EXPECT_EQ(Apply(Op::kClamp, -1, 0.5f, 1), 0.5f);
  EXPECT_EQ(Apply(Op::kClamp, 3, 2, 1), 1);
  EXPECT_TRUE(std::isnan(Apply(Op::kClamp, -1, kNaN, 1)));
  EXPECT_TRUE(std::isnan(Apply(Op::kClamp, kNaN, 0, 1)));
}

TEST(ScalarOps, RoundsAMultiplyAddOnce) {
  const float x = 1 + 0x1p-12f;
  EXPECT_EQ(Apply(Op::kMultiplyAdd, x, x, -1), 0x1p-11f + 0x1p-24f);
  // Rounded to double first, the sum would be halfway between two f32 numbers and round to the even one.
  EXPECT_EQ(Apply(Op::kMultiplyAdd, x, x, 0x1p-60f), 1 + 0x1p-11f + 0x1p-23f);
}

TEST(ScalarOps, KeepsZerosSignAndNaNInSign) {
  EXPECT_EQ(Apply(Op::kSign, -3), -1);
  EXPECT_EQ(Apply(Op::kSign, kInf), 1);
  EXPECT_TRUE(IsNegativeZero(Apply(Op::kSign, -0.0f)));
  EXPECT_FALSE(IsNegativeZero(Apply(Op::kSign, 0.0f)));
  EXPECT_TRUE(std::isnan(Apply(Op::kSign, kNaN)));
}

TEST(ScalarOps, RoundsTiesToEvenOrAwayFromZeroAsAsked) {
  const float cases[][3] = {{0.5f, 0, 1},    {1.5f, 2, 2},  {2.5f, 2, 3},        {-0.5f, 0, -1},
                            {-2.5f, -2, -3}, {2.25f, 2, 2}, {0.49999997f, 0, 0}, {8388609, 8388609, 8388609},
                            {-1.75f, -2, -2}};
  for (const auto& [x, even, away] : cases) {
    EXPECT_EQ(Apply(Op::kRoundEven, x), even) << x;
    EXPECT_EQ(Apply(Op::kRoundAfz, x), away) << x;
  }
  EXPECT_TRUE(IsNegativeZero(Apply(Op::kRoundEven, -0.5f)));
  EXPECT_EQ(Apply(Op::kRoundEven, -kInf), -kInf);
  EXPECT_TRUE(std::isnan(Apply(Op::kRoundEven, kNaN)));
}

TEST(ScalarOps, ComparesAsIEEEDoes) {
  for (const Direction d : {Direction::kEq, Direction::kLt, Direction::kLe, Direction::kGt, Direction::kGe}) {
    EXPECT_FALSE(Compare(d, kNaN, kNaN));
  }
  EXPECT_TRUE(Compare(Direction::kNe, kNaN, kNaN));
  EXPECT_TRUE(Compare(Direction::kEq, -0.0f, 0.0f));
  EXPECT_TRUE(Compare(Direction::kLt, 1, 2));
  EXPECT_FALSE(Compare(Direction::kLt, 2, 2));
  EXPECT_TRUE(Compare(Direction::kLe, 2, 2));
  EXPECT_TRUE(Compare(Direction::kGt, 2, 1));
  EXPECT_FALSE(Compare(Direction::kGe, 1, 2));
}

TEST(ScalarOps, SelectsByTheFirstOperand) {
  EXPECT_EQ(Apply(Op::kSelect, 1, 2, 3), 2);
  EXPECT_EQ(Apply(Op::kSelect, 0, 2, 3), 3);
}

TEST(ScalarOps, DoesF32ArithmeticToTheBit) {
  EXPECT_EQ(Apply(Op::kAdd, 16777216, 1), 16777216) << "f32 has 24 digits";
  EXPECT_EQ(Apply(Op::kMultiply, 1e30f, 1e30f), kInf);
  EXPECT_EQ(Apply(Op::kDivide, 1, 3), 1.0f / 3.0f);
  EXPECT_EQ(Apply(Op::kDivide, -1, 0), -kInf);
  EXPECT_EQ(Apply(Op::kSubtract, 1, 1e-9f), 1);
  EXPECT_EQ(Apply(Op::kSqrt, 2), std::sqrt(2.0f));
}

TEST(ScalarOps, TakesTheRemaindersSignFromTheDividend) {
  EXPECT_EQ(Apply(Op::kRemainder, -7, 3), -1);
  EXPECT_EQ(Apply(Op::kRemainder, 7, -3), 1);
  EXPECT_TRUE(std::isnan(Apply(Op::kRemainder, 1, 0)));
}

TEST(ScalarOps, KnowsTheFunctionsAtPointsWhereTheyAreKnown) {
  EXPECT_EQ(Apply(Op::kRsqrt, 0.25f), 2);
  EXPECT_EQ(Apply(Op::kRsqrt, 0), kInf);
  EXPECT_EQ(Apply(Op::kCbrt, -27), -3);
  EXPECT_EQ(Apply(Op::kExp, 0), 1);
  EXPECT_EQ(Apply(Op::kExpm1, 1e-10f), 1e-10f);
  EXPECT_EQ(Apply(Op::kLog, 1), 0);
  EXPECT_EQ(Apply(Op::kLog1p, 1e-10f), 1e-10f);
  EXPECT_EQ(Apply(Op::kLogistic, 0), 0.5f);
  EXPECT_EQ(Apply(Op::kLogistic, -kInf), 0);
  EXPECT_EQ(Apply(Op::kTanh, kInf), 1);
  EXPECT_EQ(Apply(Op::kTan, 0), 0);
  EXPECT_EQ(Apply(Op::kSin, 0), 0);
  EXPECT_EQ(Apply(Op::kCos, 0), 1);
  EXPECT_FLOAT_EQ(Apply(Op::kErf, 0.5f), 0.52049988f);
  EXPECT_EQ(Apply(Op::kPower, 2, 10), 1024);
  EXPECT_FLOAT_EQ(Apply(Op::kAtan2, 1, -1), 2.3561945f);
  EXPECT_EQ(Apply(Op::kAbs, -2), 2);
  EXPECT_EQ(Apply(Op::kNegate, 2), -2);
  EXPECT_EQ(Apply(Op::kFloor, -1.5f), -2);
  EXPECT_EQ(Apply(Op::kCeil, -1.5f), -1);
}

TEST(ScalarOps, GivesTruthValuesAsZeroAndOne) {
  EXPECT_EQ(Apply(Op::kIsFinite, 1), 1);
  EXPECT_EQ(Apply(Op::kIsFinite, kNaN), 0);
  EXPECT_EQ(Apply(Op::kIsFinite, -kInf), 0);
  EXPECT_EQ(Apply(Op::kNot, 0), 1);
  EXPECT_EQ(Apply(Op::kNot, 1), 0);
  EXPECT_EQ(Apply(Op::kAnd, 1, 0), 0);
  EXPECT_EQ(Apply(Op::kOr, 1, 0), 1);
  EXPECT_EQ(Apply(Op::kXor, 1, 1), 0);
}

}  // namespace
}  // namespace jax_oneshot
