// SPDX-License-Identifier: Apache-2.0
// The benchmark's problem: the programs that it measures, and when their results are accepted.
#include "ffi_kernels/cuda/bench/problem.h"

#include <gtest/gtest.h>

#include "base/float_types.h"
#include "row_program/evaluate.h"
#include "row_program/text.h"

namespace jax_oneshot::cuda::bench {
namespace {

BF16s Bits(const std::vector<float>& values) {
  BF16s bits;
  for (float value : values) bits.push_back(F32ToBF16(value));
  return bits;
}

TEST(Problem, ItsProgramIsTheNormOfResidualAndSum) {
  const BF16s one = Bits({1, 2}), two = Bits({2, 2}), residual = Bits({0, 0}), gamma = Bits({1, 2});
  BF16s norm(2), sum(2);
  EvaluateRequest request;
  request.rows = 1;
  request.width = 2;
  request.inputs = {{one.data(), residual.data(), gamma.data()}, {two.data(), residual.data(), gamma.data()}};
  request.outputs = {norm.data(), sum.data()};
  EvaluateRowProgram(FusedProgram(2), request);
  EXPECT_EQ(sum, Bits({3, 4}));
  const float rms = 3.5355339f;  // sqrt((9 + 16) / 2)
  EXPECT_TRUE(CompareBF16(norm, Bits({3 / rms, 2 * 4 / rms}), "norm"));
}

TEST(Problem, ItsProgramsAreCanonicalInTheNumberOfColumns) {
  EXPECT_NE(PrintRowProgram(FusedProgram(4096)).find("constant 0.00024414062"), std::string::npos);
  EXPECT_EQ(PlainProgram().outputs.size(), 1U);
}

TEST(Problem, ARoundingIsNoDifference) {
  EXPECT_TRUE(CompareBF16(Bits({1.0f, -64.5f}), Bits({1.0078125f, -64.0f}), "norm"));
}

TEST(Problem, AMissingRankIsOne) {
  const Result<void> compared = CompareBF16(Bits({1.0f, 2.0f}), Bits({1.0f, 2.25f}), "norm");
  ASSERT_FALSE(compared);
  EXPECT_EQ(compared.error(), "norm: element 1 is 2.000000; expected about 2.250000");
}

TEST(Problem, NanIsNeverClose) { EXPECT_FALSE(CompareBF16({0xffff}, Bits({1.0f}), "norm")); }

}  // namespace
}  // namespace jax_oneshot::cuda::bench
