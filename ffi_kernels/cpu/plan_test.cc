// SPDX-License-Identifier: Apache-2.0
// How programs are split into phases and where their values are placed.
#include "ffi_kernels/cpu/plan.h"

#include <gtest/gtest.h>

#include "row_program/text.h"

namespace jax_oneshot {
namespace {

Plan PlanOf(const char* text) {
  Result<RowProgram> program = ParseRowProgram(text);
  EXPECT_TRUE(program.has_value()) << program.error();
  return MakePlan(*program, BaselineLoops());
}

int Count(const std::vector<Step>& steps, Step::Do what) {
  int count = 0;
  for (const Step& step : steps) count += step.what == what;
  return count;
}

TEST(Plan, RunsAProgramWithoutReductionInOnePhaseOverChunks) {
  const Plan plan = PlanOf(
      "v1 (a0: sum bf16 row, a1: local bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = load a1;"
      "x2: bf16 row = add x0, x1 } -> (x2: row)");
  EXPECT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.rows, 0);
  EXPECT_FALSE(plan.has_reduction);
}

TEST(Plan, KeepsAWholeRowOnlyOfWhatALaterPhaseReads) {
  const Plan plan = PlanOf(
      "v1 (a0: sum f32 row, a1: local f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = load a1;"
      "x2: f32 row = add x0, x1; x3: f32 row = multiply x2, x2; x4: f32 rowscalar = reduce_sum x3;"
      "x5: f32 row = divide x2, x4 } -> (x5: row)");
  EXPECT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.rows, 1) << "x2";
  EXPECT_TRUE(plan.has_reduction);
  EXPECT_EQ(Count(plan.phases[0].chunk, Step::Do::kReduce), 1);
  EXPECT_EQ(Count(plan.phases[1].row_begin, Step::Do::kSplat), 1);
}

TEST(Plan, UsesAChunkAgainOnceItsLastReaderIsDone) {
  std::string text = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0";
  for (int i = 1; i < 40; ++i) {
    text += "; x" + std::to_string(i) + ": f32 row = negate x" + std::to_string(i - 1);
  }
  EXPECT_EQ(PlanOf((text + " } -> (x39: row)").c_str()).chunks, 2);
}

TEST(Plan, TakesNoStepForAConversionThatChangesNothing) {
  const Plan exact =
      PlanOf("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: f32 row = convert x0 } -> (x1: row)");
  EXPECT_EQ(Count(exact.phases[0].chunk, Step::Do::kMap), 0);
  const Plan rounds =
      PlanOf("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: f16 row = convert x0 } -> (x1: row)");
  EXPECT_EQ(Count(rounds.phases[0].chunk, Step::Do::kMap), 1);
}

TEST(Plan, RoundsAResultWhereItIsComputedIfOnlyTheRoundingReadsIt) {
  const Plan fused = PlanOf(
      "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = add x0, x0; x2: bf16 row = convert x1 }"
      " -> (x2: row)");
  EXPECT_EQ(Count(fused.phases[0].chunk, Step::Do::kMap), 1);
  const Plan both = PlanOf(
      "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = add x0, x0; x2: bf16 row = convert x1 }"
      " -> (x2: row, x1: row)");
  EXPECT_EQ(Count(both.phases[0].chunk, Step::Do::kMap), 2);
}

TEST(Plan, ComputesOncePerRowWhatDoesNotVaryOverTheWidth) {
  const Plan plan = PlanOf(
      "v1 (a0: sum f32 row, a1: local f32 rowscalar) { x0: f32 row = all_reduce a0; x1: f32 rowscalar = load a1;"
      "x2: f32 rowscalar = sqrt x1; x3: f32 row = multiply x0, x2 } -> (x3: row)");
  EXPECT_EQ(Count(plan.phases[0].row_begin, Step::Do::kMap), 1);
  EXPECT_EQ(Count(plan.phases[0].chunk, Step::Do::kMap), 1);
}

}  // namespace
}  // namespace jax_oneshot
