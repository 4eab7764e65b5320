// SPDX-License-Identifier: Apache-2.0
// The engine against the scalar evaluator: every operation, dtype, shape and loop table.
#include "ffi_kernels/cpu/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include "ffi_kernels/cpu/rank_data.h"
#include "row_program/ops.h"
#include "row_program/random_row_program.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

constexpr char kRmsNorm[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) { x0: f32 row = all_reduce a0;"
    "x1: bf16 row = load a1; x2: f32 row = convert x1; x3: f32 row = add x2, x0; x4: bf16 row = convert x3;"
    "x5: f32 row = convert x4; x6: f32 row = multiply x5, x5; x7: f32 rowscalar = reduce_sum x6;"
    "x8: f32 scalar = constant 0.001; x9: f32 rowscalar = multiply x7, x8; x10: f32 rowscalar = rsqrt x9;"
    "x11: f32 row = multiply x5, x10; x12: bf16 row = convert x11; x13: bf16 vec = load a2;"
    "x14: bf16 row = multiply x12, x13 } -> (x14: row, x4: row)";

RowProgram Parse(const std::string& text) {
  Result<RowProgram> program = ParseRowProgram(text);
  EXPECT_TRUE(program.has_value()) << program.error();
  return program.has_value() ? *program : RowProgram{};
}

void RunAll(const Engine& engine, const RankData& data, int ranks) {
  // Backwards, and some two at a time: order and grouping must not matter.
  for (int64_t last = engine.block_count(); last > 0;) {
    const int64_t first = last % 3 == 0 ? last - 2 : last - 1;
    engine.RunBlocks(first, last, data.buffers(), ranks);
    last = first;
  }
}

// Distance in ulps of `dtype`; 0 for two NaNs or two zeros.
double UlpsApart(DType dtype, float a, float b) {
  if ((std::isnan(a) && std::isnan(b)) || a == b) return 0;
  if (!std::isfinite(a) || !std::isfinite(b)) return 1e9;
  static constexpr int kMantissa[kDTypeCount] = {0, 7, 10, 23, 3, 2};
  int exponent;
  std::frexp(std::max(std::fabs(a), std::fabs(b)), &exponent);
  return std::fabs(static_cast<double>(a) - b) / std::ldexp(1.0, exponent - 1 - kMantissa[static_cast<int>(dtype)]);
}

// Every output of every rank is within `ulps` of the evaluator's; 0: equal.
void ExpectClose(const RowProgram& program, const RankData& data, int ranks, double ulps, const std::string& what) {
  for (int rank = 0; rank < ranks; ++rank) {
    const auto expected = data.Expected(rank);
    for (size_t o = 0; o < expected.size(); ++o) {
      const DType dtype = program.statements[program.outputs[o].value].dtype;
      const int64_t count = static_cast<int64_t>(expected[o].size()) / DTypeBytes(dtype);
      for (int64_t i = 0; i < count; ++i) {
        const float want = ElementOf(dtype, expected[o], i);
        const float got = ElementOf(dtype, data.output(rank, static_cast<int>(o)), i);
        ASSERT_LE(UlpsApart(dtype, want, got), ulps)
            << what << ": rank " << rank << " output " << o << " element " << i << " is " << got << ", not " << want;
      }
    }
  }
}

TEST(Engine, NormsRowsOfEveryShapeAsTheEvaluatorDoes) {
  const RowProgram program = Parse(kRmsNorm);
  const int64_t shapes[][2] = {{1, 1},   {1, 15},   {3, 16},   {2, 17},   {5, 511},  {4, 512},
                               {3, 513}, {2, 1000}, {1, 4097}, {7, 1536}, {33, 640}, {4097, 3}};
  for (const auto& [rows, width] : shapes) {
    RankData data(program, {rows, width, 8});
    RunAll(Engine(program, rows, width, BestLoops()), data, 8);
    ExpectClose(program, data, 8, 1, std::to_string(rows) + "x" + std::to_string(width));
  }
}

TEST(Engine, SumsAnyNumberOfRanksInTheirOrder) {
  for (int ranks = 1; ranks <= 17; ++ranks) {
    for (const char* dtype : {"bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"}) {
      for (const char* role : {"sum", "max", "min"}) {
        const RowProgram program = Parse(std::string("v1 (a0: ") + role + " " + dtype + " row) { x0: " + dtype +
                                         " row = all_reduce a0 } -> (x0: row)");
        RankData data(program, {2, 37, ranks});
        RunAll(Engine(program, 2, 37, BestLoops()), data, ranks);
        ExpectClose(program, data, ranks, 0, std::string(role) + " " + dtype + " of " + std::to_string(ranks));
      }
    }
  }
}

// One program per elementwise operation, over row, row scalar and vector operands.
std::string ProgramOf(const OpFact& fact, const std::string& dtype) {
  const bool logic = fact.family == OpFamily::kLogic;
  std::string text = "v1 (a0: sum " + dtype + " row, a1: local " + dtype + " rowscalar, a2: local " + dtype +
                     " vec) { x0: " + dtype + " row = all_reduce a0; x1: " + dtype +
                     " rowscalar = load a1; x2: " + dtype +
                     " vec = load a2; x3: pred row = compare x0, x1, direction=LT; "
                     "x4: pred row = compare x0, x2, direction=GE; ";
  const std::string out = logic || fact.family == OpFamily::kTest ? "pred" : dtype;
  const char* first = logic || fact.family == OpFamily::kSelect ? "x3" : "x0";
  const char* second = logic ? "x4" : "x1";
  text += "x5: " + out + " row = " + fact.name + " " + first;
  if (fact.operands > 1) text += std::string(", ") + second;
  if (fact.operands > 2) text += ", x2";
  if (fact.op == Op::kCompare) text += ", direction=NE";
  return text + " } -> (x5: row, x4: row)";
}

TEST(Engine, AppliesEveryElementwiseOperationInEveryFloatType) {
  for (const OpFact& fact : OpTable()) {
    if (fact.family == OpFamily::kSource || fact.family == OpFamily::kBroadcast ||
        fact.family == OpFamily::kReduction) {
      continue;
    }
    for (const char* dtype : {"bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"}) {
      const RowProgram program = Parse(ProgramOf(fact, dtype));
      for (const Loops* loops : UsableLoops()) {
        RankData data(program, {3, 1030, 3});
        RunAll(Engine(program, 3, 1030, *loops), data, 3);
        ExpectClose(program, data, 3, 2, std::string(fact.name) + " " + dtype + " by " + loops->name);
      }
    }
  }
}

TEST(Engine, ConvertsEveryTypeToEveryType) {
  const std::vector<std::string> dtypes = {"pred", "bf16", "f16", "f32", "f8e4m3fn", "f8e5m2"};
  for (const std::string& from : dtypes) {
    for (const std::string& to : dtypes) {
      const RowProgram program =
          Parse("v1 (a0: sum f32 row, a1: local " + from + " row) { x0: f32 row = all_reduce a0; x1: " + from +
                " row = load a1; x2: " + to + " row = convert x1 } -> (x2: row, x0: row)");
      RankData data(program, {2, 700, 2});
      RunAll(Engine(program, 2, 700, BestLoops()), data, 2);
      ExpectClose(program, data, 2, 0, from + " to " + to);
    }
  }
}

TEST(Engine, ReducesRowsVectorsAndBroadcasts) {
  const RowProgram program = Parse(
      "v1 (a0: sum bf16 row, a1: local bf16 vec, a2: local bf16 rowscalar) { x0: bf16 row = all_reduce a0;"
      "x1: bf16 vec = load a1; x2: bf16 rowscalar = load a2; x3: bf16 rowscalar = reduce_max x0;"
      "x4: bf16 scalar = reduce_min x1; x5: bf16 row = broadcast x2; x6: bf16 rowscalar = reduce_sum x5;"
      "x7: bf16 rowscalar = add x3, x4; x8: bf16 row = subtract x0, x7; x9: bf16 rowscalar = reduce_max x8;"
      "x10: bf16 vec = multiply x1, x4 }"
      " -> (x8: row, x3: rowscalar, x4: scalar, x6: rowscalar, x9: row, x10: vec, x4: vec, x2: row)");
  for (const int64_t width : {1, 64, 600, 1025}) {
    RankData data(program, {5, width, 2});
    RunAll(Engine(program, 5, width, BestLoops()), data, 2);
    ExpectClose(program, data, 2, 0, "width " + std::to_string(width));
  }
}

TEST(Engine, GivesEachRankItsOwnResultWhereLocalOperandsDiffer) {
  const RowProgram program = Parse(kRmsNorm);
  RankData data(program, {6, 530, 4, 7, /*same_locals=*/false});
  RunAll(Engine(program, 6, 530, BestLoops()), data, 4);
  ExpectClose(program, data, 4, 1, "all differ");
  EXPECT_NE(data.output(0, 0), data.output(1, 0));
}

TEST(Engine, NoticesASingleDifferingElementOnOneRank) {
  const RowProgram program = Parse(kRmsNorm);
  RankData data(program, {6, 530, 4});
  (*data.input(2, 1))[(3 * 530 + 529) * 2 + 1] ^= 0x81;  // rank 2's residual, last element of row 3
  RunAll(Engine(program, 6, 530, BestLoops()), data, 4);
  ExpectClose(program, data, 4, 1, "one differs");
  EXPECT_EQ(data.output(0, 0), data.output(1, 0));
  EXPECT_EQ(data.output(0, 0), data.output(3, 0));
  EXPECT_NE(data.output(0, 0), data.output(2, 0));
}

TEST(Engine, CutsOneWideRowIntoBlocksOnlyWhereNoReductionNeedsItWhole) {
  const RowProgram plain = Parse("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)");
  const Engine engine(plain, 1, 100000, BestLoops());
  EXPECT_GT(engine.block_count(), 4);
  EXPECT_EQ(Engine(Parse(kRmsNorm), 1, 100000, BestLoops()).block_count(), 1);
  RankData data(plain, {1, 100000, 4});
  RunAll(engine, data, 4);
  ExpectClose(plain, data, 4, 0, "wide");
}

TEST(Engine, GathersAndStoresShardsOfAnyWidth) {
  const RowProgram program = Parse(
      "v1 (a0: sum bf16 row, a1: gather bf16 row, a2: gather f32 vec, a3: local f32 rowscalar) {"
      "x0: f32 row = all_reduce a0; x1: bf16 row = all_gather a1; x2: f32 row = convert x1; x3: f32 vec = all_gather "
      "a2;"
      "x4: f32 rowscalar = load a3; x5: f32 row = add x0, x2; x6: f32 rowscalar = reduce_max x5;"
      "x7: f32 row = subtract x5, x6; x8: f32 row = multiply x7, x3; x9: f32 row = multiply x8, x4 }"
      " -> (x8: row, x9: row shard, x3: vec shard, x5: row shard, x6: row shard, x3: row)");
  for (const int ranks : {1, 2, 3, 8}) {
    for (const int64_t shard : {1, 2, 31, 64, 513}) {
      for (const bool same_locals : {true, false}) {
        RankData data(program, {3, shard * ranks, ranks, 5, same_locals});
        RunAll(Engine(program, 3, shard * ranks, BestLoops()), data, ranks);
        ExpectClose(program, data, ranks, 8, std::to_string(ranks) + " ranks, shards of " + std::to_string(shard));
      }
    }
  }
}

TEST(Engine, CutsAWideShardedRowIntoBlocksToo) {
  const RowProgram program = Parse(
      "v1 (a0: sum bf16 row, a1: gather bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = all_gather a1;"
      "x2: bf16 row = add x0, x1 } -> (x2: row shard, x1: row)");
  const Engine engine(program, 2, 99999, BestLoops());
  EXPECT_GT(engine.block_count(), 8);
  RankData data(program, {2, 99999, 3});
  RunAll(engine, data, 3);
  ExpectClose(program, data, 3, 0, "wide");
}

TEST(Engine, GivesTheSameBitsByEveryTableOfLoops) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const RowProgram program = RandomRowProgram(seed);
    std::vector<std::vector<uint8_t>> first;
    for (const Loops* loops : UsableLoops()) {
      RankData data(program, {3, 150 + seed, 3, seed});
      RunAll(Engine(program, 3, 150 + seed, *loops), data, 3);
      for (size_t o = 0; o < program.outputs.size(); ++o) {
        ASSERT_EQ(data.output(0, static_cast<int>(o)), data.output(2, static_cast<int>(o))) << "ranks differ";
        if (loops == &BaselineLoops()) first.push_back(data.output(0, static_cast<int>(o)));
        ASSERT_EQ(first[o], data.output(0, static_cast<int>(o))) << loops->name << " " << PrintRowProgram(program);
      }
    }
  }
}

// Operations that are correctly rounded: the engine must match the evaluator in any combination of them. Row sums are
// among them: both sides accumulate in double, and rounding to f32 hides the difference in order.
bool IsExact(const RowProgram& program) {
  for (const Statement& s : program.statements) {
    if ((s.op >= Op::kCbrt && s.op <= Op::kErf) || s.op == Op::kPower || s.op == Op::kAtan2) return false;
  }
  return true;
}

TEST(Engine, RunsRandomProgramsAsTheEvaluatorDoes) {
  int compared = 0;
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    const RowProgram program = RandomRowProgram(seed);
    if (!IsExact(program)) continue;
    ++compared;
    const int64_t width = 1 + seed % 700;
    RankData data(program, {3, width, 3, seed, seed % 3 != 0});
    RunAll(Engine(program, 3, width, BestLoops()), data, 3);
    ExpectClose(program, data, 3, 0, "seed " + std::to_string(seed) + ": " + PrintRowProgram(program));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared, 300);
}

TEST(Engine, RunsRandomShardedProgramsAsTheEvaluatorDoes) {
  int compared = 0;
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    const RowProgram program = RandomShardedRowProgram(seed);
    if (!IsExact(program)) continue;
    ++compared;
    const int ranks = 1 + static_cast<int>(seed % 4);
    const int64_t width = ranks * (1 + seed % 300);
    RankData data(program, {3, width, ranks, seed, seed % 3 != 0});
    RunAll(Engine(program, 3, width, BestLoops()), data, ranks);
    ExpectClose(program, data, ranks, 0, "seed " + std::to_string(seed) + ": " + PrintRowProgram(program));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared, 200);
}

// Runs with each rank's results in the buffers of its operands: output o overwrites input `over[o]`.
void RunInPlace(const RowProgram& program, RankData* data, const RankDataOptions& options,
                const std::vector<int>& over) {
  std::vector<std::vector<std::vector<uint8_t>>> expected;
  for (int r = 0; r < options.ranks; ++r) expected.push_back(data->Expected(r));
  std::vector<std::vector<void*>> outputs(static_cast<size_t>(options.ranks));
  std::vector<RankBuffers> ranks;
  for (int r = 0; r < options.ranks; ++r) {
    for (const int input : over) outputs[r].push_back(data->input(r, input)->data());
    ranks.push_back({data->inputs()[r].data(), outputs[r].data()});
  }
  const Engine engine(program, options.rows, options.width, BestLoops());
  InPlace::Copies copies;
  engine.Protect(&ranks, &copies);
  for (int64_t b = 0; b < engine.block_count(); ++b) engine.RunBlocks(b, b + 1, ranks.data(), options.ranks);
  for (int r = 0; r < options.ranks; ++r) {
    for (size_t o = 0; o < over.size(); ++o) {
      EXPECT_EQ(*data->input(r, over[o]), expected[r][o]) << "rank " << r << " output " << o << " over a" << over[o];
    }
  }
}

TEST(Engine, MayWriteResultsWhereOperandsLie) {
  const RowProgram program = Parse(kRmsNorm);
  for (const bool same_locals : {true, false}) {
    for (const std::vector<int>& over : {std::vector<int>{0, 1}, std::vector<int>{1, 0}}) {
      const RankDataOptions options{40, 700, 4, 3, same_locals};
      RankData data(program, options);
      RunInPlace(program, &data, options, over);
    }
  }
}

TEST(Engine, KeepsAnOperandThatIsReadAfterAResultLiesOverIt) {
  // x0 is stored in the first phase; a2 is loaded in the second, a3 in every row.
  const RowProgram program = Parse(
      "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 row, a3: local bf16 vec) { x0: bf16 row = all_reduce "
      "a0;"
      "x1: bf16 row = load a1; x2: bf16 row = add x0, x1; x3: bf16 rowscalar = reduce_max x2; x4: bf16 row = load a2;"
      "x5: bf16 vec = load a3; x6: bf16 row = multiply x4, x3; x7: bf16 row = multiply x6, x5;"
      "x8: bf16 vec = add x5, x5 } -> (x2: row, x7: row, x8: vec)");
  for (const bool same_locals : {true, false}) {
    for (const std::vector<int>& over :
         {std::vector<int>{2, 0, 3}, std::vector<int>{0, 2, 3}, std::vector<int>{1, 2, 3}}) {
      const RankDataOptions options{30, 600, 3, 5, same_locals};
      RankData data(program, options);
      RunInPlace(program, &data, options, over);
    }
  }
}

TEST(Engine, MayWriteShardsWhereGatheredShardsLie) {
  const RowProgram program = Parse(
      "v1 (a0: sum bf16 row, a1: gather bf16 row, a2: local bf16 row) { x0: bf16 row = all_reduce a0;"
      "x1: bf16 row = all_gather a1; x2: bf16 row = load a2; x3: bf16 row = add x1, x2; x4: bf16 row = add x3, x0 }"
      " -> (x4: row shard, x3: row)");
  for (const bool same_locals : {true, false}) {
    const RankDataOptions options{9, 800, 4, 6, same_locals};
    RankData data(program, options);
    RunInPlace(program, &data, options, {1, 2});
  }
}

// A centred LayerNorm whose result is f32: nine roundings.
constexpr char kLayerNormF32[] =
    "v1 (a0: sum f32 row, a1: local f32 vec, a2: local f32 vec) { x0: f32 row = all_reduce a0;"
    "x1: f32 rowscalar = reduce_sum x0; x2: f32 scalar = constant 512; x3: f32 rowscalar = divide x1, x2;"
    "x4: f32 row = subtract x0, x3; x5: f32 row = multiply x4, x4; x6: f32 rowscalar = reduce_sum x5;"
    "x7: f32 rowscalar = divide x6, x2; x8: f32 rowscalar = rsqrt x7; x9: f32 row = multiply x4, x8;"
    "x10: f32 vec = load a1; x11: f32 row = multiply x9, x10; x12: f32 vec = load a2; x13: f32 row = add x11, x12 }"
    " -> (x13: row)";

// The same for one row, all in double.
std::vector<double> LayerNormInDouble(const RankData& data, int ranks) {
  std::vector<double> x(512);
  double mean = 0, variance = 0;
  for (int i = 0; i < 512; ++i) {
    double sum = 0;
    for (int r = 0; r < ranks; ++r) sum += static_cast<const float*>(data.inputs()[r][0])[i];
    x[i] = sum;
    mean += sum / 512;
  }
  for (const double v : x) variance += (v - mean) * (v - mean) / 512;
  const auto* gamma = static_cast<const float*>(data.inputs()[0][1]);
  const auto* beta = static_cast<const float*>(data.inputs()[0][2]);
  for (int i = 0; i < 512; ++i) x[i] = (x[i] - mean) / std::sqrt(variance) * gamma[i] + beta[i];
  return x;
}

TEST(Engine, RoundsEveryStepOfAnF32ResultAsTheEvaluatorDoesAndStaysNearTheExactOne) {
  const RowProgram program = Parse(kLayerNormF32);
  for (uint32_t seed = 0; seed < 50; ++seed) {
    RankData data(program, {1, 512, 4, seed});
    const std::vector<double> exact = LayerNormInDouble(data, 4);
    RunAll(Engine(program, 1, 512, BestLoops()), data, 4);
    ExpectClose(program, data, 4, 0, "seed " + std::to_string(seed));
    for (int i = 0; i < 512; ++i) {
      const double allowed = 9 * 0x1p-24 * (4 + std::fabs(exact[i]));  // most terms are below 4
      ASSERT_NEAR(ElementOf(DType::kF32, data.output(3, 0), i), exact[i], allowed) << seed << " " << i;
    }
  }
}

TEST(Engine, RunsOneCallOnManyThreadsAtOnce) {
  const RowProgram program = Parse(kRmsNorm);
  const Engine engine(program, 64, 1024, BestLoops());
  std::vector<std::thread> threads;
  std::vector<std::unique_ptr<RankData>> data;
  for (int t = 0; t < 4; ++t) data.push_back(std::make_unique<RankData>(program, RankDataOptions{64, 1024, 8}));
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int repeat = 0; repeat < 20; ++repeat) RunAll(engine, *data[t], 8);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 1; t < 4; ++t) EXPECT_EQ(data[t]->output(7, 0), data[0]->output(0, 0));
}

}  // namespace
}  // namespace jax_oneshot
