// SPDX-License-Identifier: Apache-2.0
// Combining over ranks, row reductions, broadcasts and rounding, on programs whose results are known by hand.
#include "row_program/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/float_types.h"
#include "row_program/random_row_program.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

using Floats = std::vector<float>;

// The first output of `text`, whose inputs and first output are f32. inputs[rank][i] holds input i of that rank.
Floats Outcome(const std::string& text, int64_t rows, int64_t width, const std::vector<std::vector<Floats>>& inputs,
               int rank = 0, Extremes extremes = Extremes::kLikeXlaCpu) {
  const auto program = ParseRowProgram(text);
  if (!program) {
    ADD_FAILURE() << program.error();
    return {};
  }
  EvaluateRequest request;
  request.rows = rows;
  request.width = width;
  request.rank = rank;
  request.extremes = extremes;
  for (const auto& of_rank : inputs) {
    request.inputs.emplace_back();
    for (const Floats& input : of_rank) request.inputs.back().push_back(input.data());
  }
  const auto ranks = static_cast<int64_t>(inputs.size());
  Floats output(static_cast<size_t>(ElementCount(program->outputs[0], rows, width, ranks)), -77);
  request.outputs = {output.data()};
  EvaluateRowProgram(*program, request);
  return output;
}

TEST(Evaluate, CountsTheElementsOfEachKind) {
  EXPECT_EQ(ElementCount(Kind::kScalar, 3, 5), 1);
  EXPECT_EQ(ElementCount(Kind::kVec, 3, 5), 5);
  EXPECT_EQ(ElementCount(Kind::kRowScalar, 3, 5), 3);
  EXPECT_EQ(ElementCount(Kind::kRow, 3, 5), 15);
}

TEST(Evaluate, SumsInRankOrderInF32) {
  const char text[] = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)";
  EXPECT_EQ(Outcome(text, 1, 1, {{{1e8f}}, {{1}}, {{-1e8f}}}), Floats{0}) << "1e8 + 1 is 1e8 in f32";
  EXPECT_EQ(Outcome(text, 1, 1, {{{1e8f}}, {{-1e8f}}, {{1}}}), Floats{1});
}

TEST(Evaluate, RoundsASumOverRanksOnceAtTheEnd) {
  const std::string text =
      "v1 (a0: sum f32 row) { x0: bf16 row = all_reduce a0; x1: f32 row = convert x0 } -> (x1: row)";
  // If every step were rounded to bf16, 256 + 1 would stay 256.
  EXPECT_EQ(Outcome(text, 1, 1, {{{256}}, {{1}}, {{1}}}), Floats{258});
}

TEST(Evaluate, NeverSumsToNegativeZero) {
  const char text[] = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)";
  EXPECT_FALSE(std::signbit(Outcome(text, 1, 1, {{{-0.0f}}, {{-0.0f}}})[0]));
}

TEST(Evaluate, CombinesByMaximumAndMinimumAndPassesOverNaN) {
  const std::string head = "v1 (a0: ";
  const std::string tail = " f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)";
  EXPECT_EQ(Outcome(head + "max" + tail, 1, 2, {{{1, -4}}, {{3, -5}}}), (Floats{3, -4}));
  EXPECT_EQ(Outcome(head + "min" + tail, 1, 2, {{{1, -4}}, {{3, -5}}}), (Floats{1, -5}));
  const std::vector<std::vector<Floats>> parts = {{{NAN, 3, 1, NAN}}, {{1, NAN, 2, NAN}}, {{2, 2, NAN, NAN}}};
  EXPECT_EQ(Outcome(head + "max" + tail, 1, 4, parts), (Floats{2, 3, 2, -INFINITY}));
  EXPECT_EQ(Outcome(head + "min" + tail, 1, 4, parts), (Floats{1, 2, 1, INFINITY}));
}

TEST(Evaluate, TakesTheFirstOfEqualZerosOrWithNcclThePositiveOne) {
  for (const bool max : {true, false}) {
    const std::string text =
        std::string("v1 (a0: ") + (max ? "max" : "min") + " f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)";
    const std::vector<std::vector<Floats>> parts = {{{0.0f, -0.0f, NAN}}, {{-0.0f, 0.0f, NAN}}};
    const Floats first = Outcome(text, 1, 3, parts);
    EXPECT_FALSE(std::signbit(first[0]));
    EXPECT_TRUE(std::signbit(first[1]));
    EXPECT_TRUE(std::isinf(first[2]));
    const Floats nccl = Outcome(text, 1, 3, parts, 0, Extremes::kLikeNccl);
    EXPECT_EQ(std::signbit(nccl[0]), !max);
    EXPECT_EQ(std::signbit(nccl[1]), !max);
    EXPECT_TRUE(std::isnan(nccl[2]));
  }
}

TEST(Evaluate, ReadsTheLocalInputsOfTheRankAskedFor) {
  const char text[] =
      "v1 (a0: sum f32 row, a1: local f32 scalar) { x0: f32 row = all_reduce a0; x1: f32 scalar = load a1; "
      "x2: f32 row = multiply x0, x1 } -> (x2: row)";
  EXPECT_EQ(Outcome(text, 1, 1, {{{1}, {10}}, {{2}, {100}}}, 0), Floats{30});
  EXPECT_EQ(Outcome(text, 1, 1, {{{1}, {10}}, {{2}, {100}}}, 1), Floats{300});
}

TEST(Evaluate, ReadsEachKindFromItsOwnShape) {
  const char text[] =
      "v1 (a0: sum f32 row, a1: local f32 vec, a2: local f32 rowscalar, a3: local f32 scalar) "
      "{ x0: f32 row = all_reduce a0; x1: f32 vec = load a1; x2: f32 rowscalar = load a2; x3: f32 scalar = load a3; "
      "x4: f32 row = add x1, x2; x5: f32 row = add x4, x3; x6: f32 row = add x5, x0 } -> (x6: row)";
  EXPECT_EQ(Outcome(text, 2, 3, {{{1, 2, 3, 4, 5, 6}, {10, 20, 30}, {100, 200}, {1000}}}),
            (Floats{1111, 1122, 1133, 1214, 1225, 1236}));
}

TEST(Evaluate, ReducesRowsOneByOneAndVectorsOnce) {
  const std::string head =
      "v1 (a0: sum f32 row, a1: local f32 vec) { x0: f32 row = all_reduce a0; x1: f32 vec = load a1; ";
  const std::vector<std::vector<Floats>> inputs = {{{1, 2, 3, -4, -5, -6}, {7, 8, 9}}};
  const auto reduce = [&](const std::string& s, const char* kind) {
    return Outcome(head + "x2: f32 " + s + " } -> (x2: " + kind + ")", 2, 3, inputs);
  };
  EXPECT_EQ(reduce("rowscalar = reduce_sum x0", "rowscalar"), (Floats{6, -15}));
  EXPECT_EQ(reduce("rowscalar = reduce_max x0", "rowscalar"), (Floats{3, -4}));
  EXPECT_EQ(reduce("rowscalar = reduce_min x0", "rowscalar"), (Floats{1, -6}));
  EXPECT_EQ(reduce("scalar = reduce_sum x1", "scalar"), (Floats{24}));
  EXPECT_EQ(reduce("rowscalar = reduce_sum x0", "row"), (Floats{6, 6, 6, -15, -15, -15})) << "widened on store";
  EXPECT_EQ(reduce("scalar = reduce_max x1", "vec"), (Floats{9, 9, 9}));
}

TEST(Evaluate, ReducesABroadcastOverTheWholeWidth) {
  const char text[] =
      "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 rowscalar = reduce_max x0; "
      "x2: f32 row = broadcast x1; x3: f32 rowscalar = reduce_sum x2 } -> (x3: rowscalar)";
  EXPECT_EQ(Outcome(text, 2, 3, {{{1, 2, 3, 4, 5, 6}}}), (Floats{9, 18}));
}

TEST(Evaluate, PropagatesNaNThroughRowMaximum) {
  const char text[] =
      "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 rowscalar = reduce_max x0 } -> (x1: rowscalar)";
  EXPECT_TRUE(std::isnan(Outcome(text, 1, 3, {{{1, NAN, 3}}})[0]));
  EXPECT_EQ(Outcome(text, 1, 3, {{{-1, -INFINITY, -3}}}), Floats{-1});
}

TEST(Evaluate, GathersColumnsInTheOrderOfTheRanks) {
  const std::string head =
      "v1 (a0: sum f32 row, a1: gather f32 vec, a2: gather f32 row) { x0: f32 row = all_reduce a0; "
      "x1: f32 vec = all_gather a1; x2: f32 row = all_gather a2 } -> ";
  const std::vector<std::vector<Floats>> inputs = {{Floats(8), {1, 2}, {10, 20, 50, 60}},
                                                   {Floats(8), {3, 4}, {30, 40, 70, 80}}};
  for (const int rank : {0, 1}) {
    EXPECT_EQ(Outcome(head + "(x1: vec)", 2, 4, inputs, rank), (Floats{1, 2, 3, 4}));
    EXPECT_EQ(Outcome(head + "(x2: row)", 2, 4, inputs, rank), (Floats{10, 20, 30, 40, 50, 60, 70, 80}));
    EXPECT_EQ(Outcome(head + "(x1: row)", 2, 4, inputs, rank), (Floats{1, 2, 3, 4, 1, 2, 3, 4}));
  }
}

TEST(Evaluate, StoresOnlyThisRanksColumnsOfAShard) {
  const std::string head =
      "v1 (a0: sum f32 row, a1: gather f32 vec) { x0: f32 row = all_reduce a0; x1: f32 vec = all_gather a1; "
      "x2: f32 row = multiply x0, x1; x3: f32 rowscalar = reduce_sum x2 } -> ";
  const std::vector<std::vector<Floats>> inputs = {{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 10}},
                                                   {{0, 0, 0, 0, 1, 1, 1, 1}, {100, 1000}}};
  EXPECT_EQ(Outcome(head + "(x2: row shard)", 2, 4, inputs, 0), (Floats{1, 20, 6, 70}));
  EXPECT_EQ(Outcome(head + "(x2: row shard)", 2, 4, inputs, 1), (Floats{300, 4000, 800, 9000}));
  EXPECT_EQ(Outcome(head + "(x1: vec shard)", 2, 4, inputs, 1), (Floats{100, 1000}));
  EXPECT_EQ(Outcome(head + "(x3: row shard)", 2, 4, inputs, 1), (Floats{4321, 4321, 9876, 9876})) << "widened on store";
}

TEST(Evaluate, CountsTheElementsOfShards) {
  EXPECT_EQ(ElementCount(Input{Role::kGather, DType::kF32, Kind::kRow}, 3, 8, 4), 6);
  EXPECT_EQ(ElementCount(Input{Role::kGather, DType::kF32, Kind::kVec}, 3, 8, 4), 2);
  EXPECT_EQ(ElementCount(Input{Role::kSum, DType::kF32, Kind::kRow}, 3, 8, 4), 24);
  EXPECT_EQ(ElementCount(Output{0, Kind::kRow, true}, 3, 8, 4), 6);
  EXPECT_EQ(ElementCount(Output{0, Kind::kRow, false}, 3, 8, 4), 24);
}

TEST(Evaluate, RoundsEveryStatementToItsDType) {
  const auto through = [](const std::string& dtype, float x) {
    return Outcome("v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: " + dtype +
                       " row = convert x0; x2: f32 row = convert x1 } -> (x2: row)",
                   1, 1, {{{x}}})[0];
  };
  EXPECT_EQ(through("bf16", 257), 256);
  EXPECT_EQ(through("bf16", 258), 258);
  EXPECT_EQ(through("f16", 2049), 2048);
  EXPECT_EQ(through("f8e5m2", 1.125f), 1);
  EXPECT_EQ(through("f8e4m3fn", 1.125f), 1.125f);
  EXPECT_TRUE(std::isnan(through("f8e4m3fn", 1000)));
  EXPECT_EQ(through("pred", 0.25f), 1);
  EXPECT_EQ(through("pred", -0.0f), 0);
}

TEST(Evaluate, RoundsIntermediateBF16ValuesNotOnlyTheLast) {
  const char narrow[] =
      "v1 (a0: sum f32 row) { x0: bf16 row = all_reduce a0; x1: bf16 scalar = constant 1; x2: bf16 row = add x0, x1; "
      "x3: bf16 row = add x2, x1; x4: f32 row = convert x3 } -> (x4: row)";
  EXPECT_EQ(Outcome(narrow, 1, 1, {{{256}}}), Floats{256}) << "257 is no bf16 number and ties to 256, twice";
}

TEST(Evaluate, StoresEachDTypeInItsOwnBytes) {
  const auto program = ParseRowProgram(
      "v1 (a0: sum bf16 row) { x0: f32 row = all_reduce a0; x1: f8e4m3fn row = convert x0; x2: f8e5m2 row = convert "
      "x0; "
      "x3: f16 row = convert x0; x4: bf16 row = convert x0; x5: pred row = is_finite x0 } "
      "-> (x1: row, x2: row, x3: row, x4: row, x5: row)");
  ASSERT_TRUE(program) << program.error();
  const std::vector<uint16_t> input = {F32ToBF16(1.5f), F32ToBF16(-2)};
  std::vector<uint8_t> e4m3(2), e5m2(2), pred(2);
  std::vector<uint16_t> f16(2), bf16(2);
  EvaluateRequest request;
  request.rows = 1;
  request.width = 2;
  request.inputs = {{input.data()}};
  request.outputs = {e4m3.data(), e5m2.data(), f16.data(), bf16.data(), pred.data()};
  EvaluateRowProgram(*program, request);
  EXPECT_EQ(e4m3, (std::vector<uint8_t>{0x3c, 0xc0}));
  EXPECT_EQ(e5m2, (std::vector<uint8_t>{0x3e, 0xc0}));
  EXPECT_EQ(f16, (std::vector<uint16_t>{0x3e00, 0xc000}));
  EXPECT_EQ(bf16, input);
  EXPECT_EQ(pred, (std::vector<uint8_t>{1, 1}));
}

TEST(Evaluate, DoesNothingForNoRows) {
  const char text[] = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)";
  EXPECT_EQ(Outcome(text, 0, 4, {{{}}}), Floats{});
}

TEST(Evaluate, RunsEveryRandomProgramWithinItsBuffersUnderASanitizer) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const RowProgram program = seed % 2 == 0 ? RandomRowProgram(seed) : RandomShardedRowProgram(seed);
    const int ranks = 1 + static_cast<int>(seed % 4);
    EvaluateRequest request;
    request.rows = 1 + seed % 3;
    request.width = ranks * (1 + seed % 5);
    request.rank = static_cast<int>(seed / 4) % ranks;
    // Separate buffers of exactly the required size, so that a sanitizer catches any access out of bounds.
    std::vector<std::vector<uint8_t>> buffers;
    const auto buffer = [&](const auto& in_or_out, DType dtype) {
      const int64_t elements = ElementCount(in_or_out, request.rows, request.width, ranks);
      buffers.emplace_back(static_cast<size_t>(elements * DTypeBytes(dtype)));
      return static_cast<void*>(buffers.back().data());
    };
    for (int rank = 0; rank < ranks; ++rank) {
      request.inputs.emplace_back();
      for (const Input& input : program.inputs) request.inputs.back().push_back(buffer(input, input.dtype));
    }
    for (const Output& o : program.outputs) {
      request.outputs.push_back(buffer(o, program.statements[o.value].dtype));
    }
    EvaluateRowProgram(program, request);
  }
}

}  // namespace
}  // namespace jax_oneshot
