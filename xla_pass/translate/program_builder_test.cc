// SPDX-License-Identifier: Apache-2.0
// ProgramBuilder: deduplication, rollback, and dead code in Finish.
#include "xla_pass/translate/program_builder.h"

#include <gtest/gtest.h>

#include "row_program/text.h"

namespace jax_oneshot {
namespace {

TEST(ProgramBuilder, MakesEqualStatementsOnce) {
  ProgramBuilder builder;
  const int x = builder.AddInput(Role::kSum, DType::kBF16, Kind::kRow, DType::kBF16);
  EXPECT_EQ(builder.Elementwise(Op::kAdd, DType::kBF16, {x, x}), builder.Elementwise(Op::kAdd, DType::kBF16, {x, x}));
  EXPECT_EQ(builder.Constant(DType::kF32, 1.0f), builder.Constant(DType::kF32, 1.0f));
}

TEST(ProgramBuilder, TellsZeroFromMinusZeroAndDtypesApart) {
  ProgramBuilder builder;
  EXPECT_NE(builder.Constant(DType::kF32, 0.0f), builder.Constant(DType::kF32, -0.0f));
  EXPECT_NE(builder.Constant(DType::kF32, 0.0f), builder.Constant(DType::kBF16, 0.0f));
}

TEST(ProgramBuilder, ReadsEachInputByItsOwnStatement) {
  ProgramBuilder builder;
  EXPECT_NE(builder.AddInput(Role::kLocal, DType::kF32, Kind::kRow, DType::kF32),
            builder.AddInput(Role::kLocal, DType::kF32, Kind::kRow, DType::kF32));
}

TEST(ProgramBuilder, WidensAReducedRowScalarFirst) {
  ProgramBuilder builder;
  const int x = builder.AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32);
  const int sum = builder.RowReduction(Op::kReduceSum, x, DType::kF32);
  const int again = builder.RowReduction(Op::kReduceSum, sum, DType::kF32);
  const ProgramBuilder::Finished finished = builder.Finish({{again, Kind::kRowScalar}});
  EXPECT_EQ(PrintRowProgram(finished.program),
            "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 rowscalar = reduce_sum x0; "
            "x2: f32 row = broadcast x1; x3: f32 rowscalar = reduce_sum x2 } -> (x3: rowscalar)");
}

TEST(ProgramBuilder, ForgetsWhatARollbackTookBack) {
  ProgramBuilder builder;
  const int x = builder.AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32);
  const ProgramBuilder::Checkpoint mark = builder.Mark();
  const int negated = builder.Elementwise(Op::kNegate, DType::kF32, {x});
  builder.Rollback(mark);
  EXPECT_EQ(builder.Elementwise(Op::kAbs, DType::kF32, {x}), negated) << "the number is free again";
  EXPECT_NE(builder.Elementwise(Op::kNegate, DType::kF32, {x}), negated) << "and no longer stands for the negation";
}

TEST(ProgramBuilder, SaysWhatAValueIsLoadedFrom) {
  ProgramBuilder builder;
  const int x = builder.AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32);
  const int r = builder.AddInput(Role::kLocal, DType::kF32, Kind::kRow, DType::kF32);
  const int g = builder.AddInput(Role::kGather, DType::kF32, Kind::kVec, DType::kF32);
  const int b = builder.AddInput(Role::kLocal, DType::kF32, Kind::kVec, DType::kF32);
  const int sum = builder.Elementwise(Op::kAdd, DType::kF32, {x, r});
  const int y = builder.Elementwise(Op::kMultiply, DType::kF32, {sum, g});
  EXPECT_EQ(builder.LoadsBehind(x), std::vector<int>{});
  EXPECT_EQ(builder.LoadsBehind(y), std::vector<int>{1});
  EXPECT_EQ(builder.LoadsBehind(builder.Elementwise(Op::kAdd, DType::kF32, {y, b})), (std::vector<int>{3, 1}));
}

TEST(ProgramBuilder, LeavesOutWhatNoOutputNeedsAndSaysWhichInputsStayed) {
  ProgramBuilder builder;
  const int x = builder.AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32);
  builder.AddInput(Role::kLocal, DType::kF32, Kind::kRow, DType::kF32);
  const int g = builder.AddInput(Role::kLocal, DType::kF32, Kind::kVec, DType::kF32);
  builder.Constant(DType::kF32, 3.0f);
  const int y = builder.Elementwise(Op::kMultiply, DType::kF32, {x, g});
  const ProgramBuilder::Finished finished = builder.Finish({{y, Kind::kRow}});
  EXPECT_EQ(finished.kept_inputs, (std::vector<int>{0, 2}));
  EXPECT_EQ(PrintRowProgram(finished.program),
            "v1 (a0: sum f32 row, a1: local f32 vec) { x0: f32 row = all_reduce a0; x1: f32 vec = load a1; "
            "x2: f32 row = multiply x0, x1 } -> (x2: row)");
}

}  // namespace
}  // namespace jax_oneshot
