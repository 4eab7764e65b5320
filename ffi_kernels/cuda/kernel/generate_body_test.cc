// SPDX-License-Identifier: Apache-2.0
// Tests the full generated text of three kernels, and how often a program waits for a row reduction.
#include "ffi_kernels/cuda/kernel/generate_body.h"

#include <gtest/gtest.h>

#include <string>

#include "ffi_kernels/cuda/kernel/test_programs.h"

namespace jax_oneshot::cuda {
namespace {

Body BodyOf(const char* text, int64_t rows, int64_t width, int ranks) {
  const RowProgram program = ProgramOf(text);
  return GenerateBody(program, PlanLaunch(program, rows, width, ranks, FactsOfH100()).value());
}

int CountOf(const std::string& text, const std::string& what) {
  int count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// Without the leading line break of the literals below.
std::string Golden(const char* text) { return text + 1; }

TEST(GenerateBody, WritesAPlainSumAsPushReceiveAndStore) {
  EXPECT_EQ(BodyOf(kPlain, 8, 4096, 8).text, Golden(R"(
__device__ inline void RunProgram(const Parameters& p, const Place& place, const Slot& slot, RowReducer& reducer) {
  Combined<BF16, Sum, 0, 16, 0, 8192> a0;
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    a0.Push(p, place, row, slot);
  }
  CountEpoch(p, slot);
  RestoreSentinels(p, slot);
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    float x0[kElements];
    a0.Receive<BF16>(p, place, row, slot, x0);
    StoreRow<BF16, 16>(p.outputs[0], place, row, [&](int e) { return x0[e]; });
  }
}
)"));
}

TEST(GenerateBody, WritesANormAsOneLoopOnEachSideOfItsRowSum) {
  EXPECT_EQ(BodyOf(kResidualRmsNorm, 8, 4096, 8).text, Golden(R"(
__device__ inline void RunProgram(const Parameters& p, const Place& place, const Slot& slot, RowReducer& reducer) {
  Combined<BF16, Sum, 0, 16, 0, 8192> a0;
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    a0.Push(p, place, row, slot);
  }
  CountEpoch(p, slot);
  RestoreSentinels(p, slot);
  const Packed<BF16> x13 = LoadRow<BF16, 16>(p.inputs[2], place, 0);
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    const Packed<BF16> x1 = LoadRow<BF16, 16>(p.inputs[1], place, row);
    float x0[kElements];
    a0.Receive<BF16>(p, place, row, slot, x0);
    float x2[kElements];
    float x3[kElements];
    float partials5[1][kChunks];
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      partials5[0][c] = RowSum::Identity();
    }
    ONESHOT_EACH(e) {
      x2[e] = Round<BF16>(x1.At(e) + x0[e]);
      x3[e] = x2[e];
      const float x4 = x3[e] * x3[e];
      if (place.Has(e)) partials5[0][e / kVector] = RowSum::Combine(partials5[0][e / kVector], x4);
    }
    StoreRow<BF16, 16>(p.outputs[1], place, row, [&](int e) { return x2[e]; });
    if (step == 0) reducer.WaitUntilClusterRuns();
    reducer.Reduce<RowSum>(place, partials5);
    const float x5 = partials5[0][0];
    const float x7 = x5 * 0.00024414062f;
    const float x9 = x7 + 1e-05f;
    const float x10 = rsqrtf(x9);
    float x14[kElements];
    ONESHOT_EACH(e) {
      const float x11 = x3[e] * x10;
      const float x12 = Round<BF16>(x11);
      x14[e] = Round<BF16>(x12 * x13.At(e));
    }
    StoreRow<BF16, 16>(p.outputs[0], place, row, [&](int e) { return x14[e]; });
  }
}
)"));
}

TEST(GenerateBody, WritesWeightsInShardsAsGatheredOnceAndAShardAsStoredInPart) {
  EXPECT_EQ(BodyOf(kShardedRmsNorm, 8, 4096, 8).text, Golden(R"(
__device__ inline void RunProgram(const Parameters& p, const Place& place, const Slot& slot, RowReducer& reducer) {
  Combined<BF16, Sum, 0, 16, 0, 8192> a0;
  Gathered<BF16, 2, 16, 65536, 1024> a2;
  if (place.FirstRow()) a2.Push(p, place, 0, slot);
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    a0.Push(p, place, row, slot);
  }
  CountEpoch(p, slot);
  RestoreSentinels(p, slot);
  const Packed<BF16> x13 = a2.Receive(p, place, 0, slot);
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    const Packed<BF16> x1 = LoadRow<BF16, 16>(p.inputs[1], place, row);
    float x0[kElements];
    a0.Receive<BF16>(p, place, row, slot, x0);
    float x2[kElements];
    float x3[kElements];
    float partials5[1][kChunks];
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      partials5[0][c] = RowSum::Identity();
    }
    ONESHOT_EACH(e) {
      x2[e] = Round<BF16>(x1.At(e) + x0[e]);
      x3[e] = x2[e];
      const float x4 = x3[e] * x3[e];
      if (place.Has(e)) partials5[0][e / kVector] = RowSum::Combine(partials5[0][e / kVector], x4);
    }
    StoreShard<BF16, 16>(p, p.outputs[1], place, row, [&](int e) { return x2[e]; });
    if (step == 0) reducer.WaitUntilClusterRuns();
    reducer.Reduce<RowSum>(place, partials5);
    const float x5 = partials5[0][0];
    const float x7 = x5 * 0.00024414062f;
    const float x9 = x7 + 1e-05f;
    const float x10 = rsqrtf(x9);
    float x14[kElements];
    ONESHOT_EACH(e) {
      const float x11 = x3[e] * x10;
      const float x12 = Round<BF16>(x11);
      x14[e] = Round<BF16>(x12 * x13.At(e));
    }
    StoreRow<BF16, 16>(p.outputs[0], place, row, [&](int e) { return x14[e]; });
  }
}
)"));
}

// 1000 rows: blocks take several steps; all of a block's own sums are sent before it waits for any sum of another
// owner.
TEST(GenerateBody, CombinesOwnPiecesOfAllRowsBeforeItReceivesByTwoShots) {
  const RowProgram program = ProgramOf(kPlain);
  const auto plan = PlanLaunch(program, 1000, 4096, 4, FactsOfH100(), Algorithm::kTwoShot);
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_GT(plan->row_steps, 1);
  EXPECT_EQ(GenerateBody(program, *plan).text, Golden(R"(
__device__ inline void RunProgram(const Parameters& p, const Place& place, const Slot& slot, RowReducer& reducer) {
  TwoShot<BF16, Sum, BF16, 0, 16, 0, 2048000> a0;
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    a0.Push(p, place, row, slot);
  }
  CountEpoch(p, slot);
  RestoreSentinels(p, slot);
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    a0.Combine(p, place, row, slot);
  }
  for (int step = 0; step < kRowSteps; ++step) {
    const int row = place.Row(step);
    float x0[kElements];
    a0.Receive(p, place, row, slot, x0);
    StoreRow<BF16, 16>(p.outputs[0], place, row, [&](int e) { return x0[e]; });
  }
}
)"));
}

TEST(GenerateBody, WaitsOnceForReductionsThatDoNotNeedOneAnother) {
  constexpr char kMeanAndMeanSquare[] =
      "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 rowscalar = reduce_sum x0; "
      "x2: f32 row = multiply x0, x0; x3: f32 rowscalar = reduce_sum x2; x4: f32 rowscalar = add x1, x3; "
      "x5: f32 row = add x0, x4 } -> (x5: row)";
  const Body body = BodyOf(kMeanAndMeanSquare, 8, 4096, 8);
  EXPECT_EQ(CountOf(body.text, "reducer.Reduce<RowSum, RowSum>("), 1) << body.text;
  EXPECT_EQ(CountOf(body.text, "reducer.Reduce<"), 1) << body.text;
  EXPECT_EQ(body.most_reductions, 2);
}

TEST(GenerateBody, WaitsTwiceForAReductionThatNeedsAnother) {
  const Body body = BodyOf(kLayerNorm, 8, 768, 8);
  EXPECT_EQ(CountOf(body.text, "reducer.Reduce<RowSum>("), 2) << body.text;
  EXPECT_EQ(CountOf(body.text, "reducer.WaitUntilClusterRuns()"), 1) << body.text;
  EXPECT_EQ(body.most_reductions, 1);
}

TEST(GenerateBody, UsesNoReducerWithoutReductions) {
  const Body body = BodyOf(kPlain, 8, 4096, 8);
  EXPECT_EQ(CountOf(body.text, "reducer."), 0) << body.text;
  EXPECT_EQ(body.most_reductions, 0);
}

}  // namespace
}  // namespace jax_oneshot::cuda
