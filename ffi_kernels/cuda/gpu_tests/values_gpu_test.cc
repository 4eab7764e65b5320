// SPDX-License-Identifier: Apache-2.0
// The rule of docs/row_program.md on a GPU: a value is rounded to its type before anything reads it. An output that is
// fed back in as an input gives the same bits for everything computed from it. Without a GPU: compiles only.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/gpu_tests/gpu_run.h"
#include "ffi_kernels/cuda/kernel/test_programs.h"
#include "row_program/random_row_program.h"
#include "row_program/returned_values.h"
#include "row_program/text.h"

namespace jax_oneshot::cuda {
namespace {

class ValuesOnGpu : public ::testing::Test {
 protected:
  void TearDown() override {
    if (!TestGpu::Get().present() && !HasFailure()) GTEST_SKIP() << "compiled only: " << TestGpu::Get().why_absent();
  }
};

// Whether the bits of every element agree; NaNs compare equal.
bool SameBits(DType dtype, const Bytes& a, const Bytes& b) {
  const auto bytes = static_cast<size_t>(DTypeBytes(dtype));
  for (size_t i = 0; i * bytes < a.size(); ++i) {
    if (std::equal(&a[i * bytes], &a[i * bytes] + bytes, &b[i * bytes])) continue;
    const auto element = static_cast<int64_t>(i);
    if (!std::isnan(ElementOf(dtype, a, element)) || !std::isnan(ElementOf(dtype, b, element))) return false;
  }
  return true;
}

// The order of a row sum depends on the launch plan, and the plan on the types of the inputs.
bool SumsRows(const RowProgram& program) {
  return std::any_of(program.statements.begin(), program.statements.end(),
                     [](const Statement& s) { return s.op == Op::kReduceSum; });
}

void ExpectTheSameOnceReadBack(const RowProgram& program, const Shape& shape, const BuffersOfRanks& inputs,
                               const BuffersOfRanks& values, size_t put_back) {
  const int value = program.outputs[put_back].value;
  const RowProgram reading = ReadingValue(program, value);
  BuffersOfRanks given = inputs;
  if (TestGpu::Get().present()) {
    for (size_t rank = 0; rank < given.size(); ++rank) given[rank].push_back(values[rank][put_back]);
  }
  const Result<BuffersOfRanks> after = RunOnce(reading, shape, given);
  ASSERT_TRUE(after) << after.error() << "\n" << PrintRowProgram(reading);
  if (!TestGpu::Get().present()) return;
  for (size_t rank = 0; rank < given.size(); ++rank) {
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const int other = program.outputs[o].value;
      ASSERT_TRUE(SameBits(program.statements[other].dtype, values[rank][o], (*after)[rank][o]))
          << "x" << other << " once x" << value << " is read back: " << PrintRowProgram(program);
    }
  }
}

TEST_F(ValuesOnGpu, GiveTheSameBitsWhenTheyAreReadBack) {
  const Shape shape = {3, 96, 2};
  int programs = 0;
  for (uint32_t seed = 0; programs < 8; ++seed) {
    const RowProgram program = ReturningValues(RandomRowProgram(seed), 0);
    if (SumsRows(program) || program.statements.size() > 32) continue;
    ++programs;
    const BuffersOfRanks inputs = RandomInputs(program, shape, seed, Numbers::kSpecialToo);
    const Result<BuffersOfRanks> values = RunOnce(program, shape, inputs);
    ASSERT_TRUE(values) << values.error() << "\n" << PrintRowProgram(program);
    for (size_t put_back = seed % 3; put_back < program.outputs.size(); put_back += 3) {
      ASSERT_NO_FATAL_FAILURE(ExpectTheSameOnceReadBack(program, shape, inputs, *values, put_back));
    }
  }
}

// Top-k, `y == max(y)` and routing by the maximum, after a LayerNorm: the kernel's maximum is among the returned
// values.
TEST_F(ValuesOnGpu, BehindALayerNormEqualTheirOwnMaximum) {
  for (const std::string type : {"f32", "bf16", "f16"}) {
    const RowProgram program = ProgramOf(
        ("v1 (a0: sum f32 row, a1: local f32 vec, a2: local f32 vec) { x0: f32 row = all_reduce a0; "
         "x1: f32 rowscalar = reduce_sum x0; x2: f32 scalar = constant 4096; x3: f32 rowscalar = divide x1, x2; "
         "x4: f32 row = subtract x0, x3; x5: f32 row = multiply x4, x4; x6: f32 rowscalar = reduce_sum x5; "
         "x7: f32 rowscalar = divide x6, x2; x8: f32 rowscalar = rsqrt x7; x9: f32 row = multiply x4, x8; "
         "x10: f32 vec = load a1; x11: f32 row = multiply x9, x10; x12: f32 vec = load a2; x13: f32 row = add x11, "
         "x12; x14: f32 row = multiply_add x9, x10, x12; x15: f32 row = add x13, x14; x16: " +
         type + " row = convert x15; x17: " + type + " rowscalar = reduce_max x16; x18: pred row = compare x16, x17, " +
         "direction=GE } -> (x16: row, x17: rowscalar, x18: row)")
            .c_str());
    const Shape shape = {8, 4096, 2};
    const BuffersOfRanks inputs = RandomInputs(program, shape, 1, Numbers::kOrdinary);
    const Result<BuffersOfRanks> outputs = RunOnce(program, shape, inputs);
    ASSERT_TRUE(outputs) << outputs.error();
    if (!TestGpu::Get().present()) continue;
    const DType dtype = program.statements[16].dtype;
    for (int64_t i = 0; i < shape.rows * shape.width; ++i) {
      const float y = ElementOf(dtype, (*outputs)[0][0], i);
      const float largest = ElementOf(dtype, (*outputs)[0][1], i / shape.width);
      ASSERT_LE(y, largest) << type << " element " << i;
      ASSERT_EQ((*outputs)[0][2][static_cast<size_t>(i)], y >= largest ? 1 : 0) << type << " element " << i;
    }
  }
}

TEST_F(ValuesOnGpu, OfAMaximumOverRanksAreNaNOnlyWhereEveryRankHasOne) {
  const RowProgram program = ProgramOf("v1 (a0: max f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)");
  const Shape shape = {1, 3, 2};
  const std::vector<std::vector<float>> parts = {{NAN, 1, NAN}, {2, NAN, NAN}};
  BuffersOfRanks inputs = RandomInputs(program, shape, 1, Numbers::kOrdinary);
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(parts[rank].data());
    inputs[rank][0].assign(bytes, bytes + 3 * sizeof(float));
  }
  const Result<BuffersOfRanks> outputs = RunOnce(program, shape, inputs);
  ASSERT_TRUE(outputs) << outputs.error();
  if (!TestGpu::Get().present()) return;
  for (const std::vector<Bytes>& of_rank : *outputs) {
    EXPECT_EQ(ElementOf(DType::kF32, of_rank[0], 0), 2);
    EXPECT_EQ(ElementOf(DType::kF32, of_rank[0], 1), 1);
    EXPECT_TRUE(std::isnan(ElementOf(DType::kF32, of_rank[0], 2)));
  }
}

}  // namespace
}  // namespace jax_oneshot::cuda
