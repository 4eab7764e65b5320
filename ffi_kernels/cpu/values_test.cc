// SPDX-License-Identifier: Apache-2.0
// The rule of docs/row_program.md: a value is rounded to its type before anything reads it. An output that is fed back
// in as an input gives the same bits for everything computed from it; and returning a value changes no other.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ffi_kernels/cpu/engine.h"
#include "ffi_kernels/cpu/rank_data.h"
#include "row_program/random_row_program.h"
#include "row_program/returned_values.h"
#include "row_program/text.h"
#include "row_program/validate.h"

namespace jax_oneshot {
namespace {

using Buffers = std::vector<std::vector<std::vector<uint8_t>>>;  // by rank, by output

enum class By : uint8_t { kEvaluator, kEngine };

Buffers Outputs(const RowProgram& program, RankData* data, const RankDataOptions& options, By by) {
  if (by == By::kEngine) {
    const Engine engine(program, options.rows, options.width, BestLoops());
    engine.RunBlocks(0, engine.block_count(), data->buffers(), options.ranks);
  }
  Buffers outputs;
  for (int rank = 0; rank < options.ranks; ++rank) {
    outputs.emplace_back();
    if (by == By::kEvaluator) {
      outputs.back() = data->Expected(rank);
      continue;
    }
    for (size_t o = 0; o < program.outputs.size(); ++o)
      outputs.back().push_back(data->output(rank, static_cast<int>(o)));
  }
  return outputs;
}

// "", or where two buffers differ in a bit. NaNs compare equal, whatever their bits.
std::string Difference(DType dtype, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  const auto bytes = static_cast<size_t>(DTypeBytes(dtype));
  for (size_t i = 0; i * bytes < a.size(); ++i) {
    if (std::equal(a.begin() + i * bytes, a.begin() + (i + 1) * bytes, b.begin() + i * bytes)) continue;
    const float x = ElementOf(dtype, a, static_cast<int64_t>(i));
    const float y = ElementOf(dtype, b, static_cast<int64_t>(i));
    if (x != x && y != y) continue;
    return "element " + std::to_string(i) + ": " + std::to_string(x) + " and " + std::to_string(y);
  }
  return "";
}

// All values of a random program as outputs, compared with the program that reads one of them back as an input.
void ExpectValuesToStandOnTheirOwn(const RowProgram& original, uint32_t seed, By by) {
  const int count = static_cast<int>(original.statements.size());
  const RowProgram returning = ReturningValues(original, count > 32 ? static_cast<int>(seed) % (count - 31) : 0);
  const RankDataOptions options{2, 6 + static_cast<int64_t>(seed % 5) * 30, 2, seed, seed % 2 == 0};
  RankData data(returning, options);
  const Buffers values = Outputs(returning, &data, options, by);
  for (size_t put_back = 0; put_back < returning.outputs.size(); ++put_back) {
    const RowProgram reading = ReadingValue(returning, returning.outputs[put_back].value);
    ASSERT_TRUE(ValidateRowProgram(reading));
    RankData given(reading, options);
    for (int rank = 0; rank < options.ranks; ++rank) {
      const int last = static_cast<int>(reading.inputs.size()) - 1;
      for (int i = 0; i < last; ++i) *given.input(rank, i) = *data.input(rank, i);
      *given.input(rank, last) = values[rank][put_back];
    }
    const Buffers after = Outputs(reading, &given, options, by);
    for (int rank = 0; rank < options.ranks; ++rank) {
      for (size_t o = 0; o < returning.outputs.size(); ++o) {
        const int value = returning.outputs[o].value;
        ASSERT_EQ(Difference(returning.statements[value].dtype, values[rank][o], after[rank][o]), "")
            << "x" << value << " once x" << returning.outputs[put_back].value << " is read back; seed " << seed << ": "
            << PrintRowProgram(returning);
      }
    }
  }
}

// The same outputs, whether or not other values are returned too.
void ExpectReturningToChangeNothing(const RowProgram& original, uint32_t seed) {
  const RankDataOptions options{2, 100, 2, seed, seed % 2 == 0};
  RowProgram more = original;
  for (const Output& output : ReturningValues(original, 0).outputs) {
    if (more.outputs.size() < 32) more.outputs.push_back(output);
  }
  RankData few_data(original, options), more_data(more, options);
  const Buffers few_outputs = Outputs(original, &few_data, options, By::kEngine);
  const Buffers more_outputs = Outputs(more, &more_data, options, By::kEngine);
  for (size_t o = 0; o < original.outputs.size(); ++o) {
    const DType dtype = original.statements[original.outputs[o].value].dtype;
    ASSERT_EQ(Difference(dtype, few_outputs[0][o], more_outputs[0][o]), "") << seed << PrintRowProgram(original);
  }
}

constexpr uint32_t kSeeds = 150;

TEST(Values, OfTheEvaluatorGiveTheSameBitsWhenTheyAreReadBack) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    ExpectValuesToStandOnTheirOwn(RandomRowProgram(seed), seed, By::kEvaluator);
    ExpectValuesToStandOnTheirOwn(RandomShardedRowProgram(seed), seed, By::kEvaluator);
    if (HasFatalFailure()) return;
  }
}

TEST(Values, OfTheEngineGiveTheSameBitsWhenTheyAreReadBack) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    ExpectValuesToStandOnTheirOwn(RandomRowProgram(seed), seed, By::kEngine);
    ExpectValuesToStandOnTheirOwn(RandomShardedRowProgram(seed), seed, By::kEngine);
    if (HasFatalFailure()) return;
  }
}

TEST(Values, OfTheEngineAreTheSameWhetherOthersAreReturnedOrNot) {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    ExpectReturningToChangeNothing(RandomRowProgram(seed), seed);
    if (HasFatalFailure()) return;
  }
}

// Failed when values were held in double: the maximum of a row was not among the returned values.
TEST(Values, BehindFloatArithmeticEqualTheirOwnMaximum) {
  const Result<RowProgram> program = ParseRowProgram(
      "v1 (a0: sum f32 row, a1: local f32 vec, a2: local f32 vec) { x0: f32 row = all_reduce a0; "
      "x1: f32 vec = load a1; x2: f32 vec = load a2; x3: f32 row = divide x0, x1; x4: f32 row = multiply_add x3, x1, "
      "x2; "
      "x5: f32 row = multiply x4, x4; x6: f32 row = add x5, x2; x7: f32 rowscalar = reduce_max x6 } "
      "-> (x6: row, x7: rowscalar)");
  ASSERT_TRUE(program) << program.error();
  const RankDataOptions options{64, 1000, 4};
  RankData data(*program, options);
  const Buffers outputs = Outputs(*program, &data, options, By::kEngine);
  for (int64_t row = 0; row < options.rows; ++row) {
    int equal = 0;
    const float largest = ElementOf(DType::kF32, outputs[0][1], row);
    for (int64_t i = 0; i < options.width; ++i) {
      equal += ElementOf(DType::kF32, outputs[0][0], row * options.width + i) == largest ? 1 : 0;
    }
    EXPECT_EQ(equal, 1) << "row " << row;
  }
}

}  // namespace
}  // namespace jax_oneshot
