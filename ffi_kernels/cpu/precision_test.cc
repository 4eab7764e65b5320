// Which programs are carried in double.
#include "ffi_kernels/cpu/precision.h"

#include <gtest/gtest.h>

#include <string>

#include "ffi_kernels/row_program/text.h"

namespace jax_oneshot {
namespace {

// A program that begins with x0, the maximum over ranks, and x1, another row, both f32: neither is rounded.
bool InDouble(const std::string& rest) {
  const Result<RowProgram> program = ParseRowProgram(
      "v1 (a0: max f32 row, a1: local f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = load a1; " + rest);
  EXPECT_TRUE(program.has_value()) << program.error();
  return program.has_value() && PrefersDouble(*program);
}

TEST(Precision, IsDoubleWhereAnF32ResultWouldBeRoundedTwice) {
  EXPECT_TRUE(InDouble("x2: f32 row = multiply x0, x1; x3: f32 row = add x2, x1 } -> (x3: row)"));
  EXPECT_TRUE(InDouble("x2: f32 rowscalar = reduce_sum x0; x3: f32 row = divide x1, x2 } -> (x3: row)"));
}

TEST(Precision, CountsASumOverRanksAsARounding) {
  const auto in_double = [](const std::string& text) {
    const Result<RowProgram> program = ParseRowProgram(text);
    return program.has_value() && PrefersDouble(*program);
  };
  EXPECT_TRUE(in_double("v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = add x0, x0 } -> (x1: row)"));
  EXPECT_FALSE(in_double("v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)"));
  EXPECT_FALSE(
      in_double("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: f32 row = convert x0; "
                "x2: f32 row = add x1, x1 } -> (x2: row)"));
}

TEST(Precision, IsSingleWhereItIsRoundedOnce) {
  EXPECT_FALSE(InDouble("x2: f32 row = add x0, x1 } -> (x2: row)"));
  EXPECT_FALSE(InDouble("x2: f32 row = maximum x0, x1; x3: f32 row = add x2, x1 } -> (x3: row)"));
}

TEST(Precision, IsSingleWhereTheResultsAreNarrower) {
  EXPECT_FALSE(InDouble(
      "x2: f32 row = multiply x0, x1; x3: f32 row = add x2, x1; x4: bf16 row = convert x3 } -> (x4: row, x0: row)"));
}

TEST(Precision, CountsAgainAfterANarrowerType) {
  const std::string rounded = "x2: f32 row = multiply x0, x1; x3: bf16 row = convert x2; x4: f32 row = convert x3; ";
  EXPECT_FALSE(InDouble(rounded + "x5: f32 row = add x4, x1 } -> (x5: row)"));
  EXPECT_TRUE(InDouble(rounded + "x5: f32 row = add x4, x1; x6: f32 row = add x5, x1 } -> (x6: row)"));
}

TEST(Precision, IsSingleWhereTheProgramDecidesOrCallsLibm) {
  const std::string twice = "x2: f32 row = multiply x0, x1; x3: f32 row = add x2, x1; ";
  EXPECT_FALSE(InDouble(twice + "x4: pred row = is_finite x3 } -> (x4: row, x3: row)"));
  EXPECT_FALSE(InDouble(twice + "x4: f32 row = tanh x3 } -> (x4: row)"));
}

}  // namespace
}  // namespace jax_oneshot
