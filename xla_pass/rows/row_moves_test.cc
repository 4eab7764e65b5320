// SPDX-License-Identifier: Apache-2.0
// Row layouts after moves: each rule with a near miss.
#include "xla_pass/rows/row_moves.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using V = std::vector<int64_t>;

std::optional<RowLayout> RowsFirst(int split) { return RowLayout{split}; }
std::optional<RowLayout> ColumnsFirst(int split) { return RowLayout{split, true}; }

TEST(RowLayoutAfterTranspose, LetsDimensionsOfSizeOneMove) {
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 1, 512}, {1}, V{1, 0, 2}), RowsFirst(2));
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 1}, {1}, V{1, 0}), RowsFirst(2)) << "one column";
  EXPECT_EQ(RowLayoutAfterTranspose(V{1, 512}, {1}, V{1, 0}), RowsFirst(0)) << "one row";
}

TEST(RowLayoutAfterTranspose, RenamesDimensionsWhereRowsStayWhole) {
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 1, 512}, {1}, V{2, 1, 0}), ColumnsFirst(1));
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 1, 512}, {2}, V{2, 0, 1}), ColumnsFirst(1));
  EXPECT_EQ(RowLayoutAfterTranspose(V{2, 4, 512}, {2}, V{2, 0, 1}), ColumnsFirst(1));
  EXPECT_EQ(RowLayoutAfterTranspose(V{512, 2, 4}, {1, true}, V{1, 2, 0}), RowsFirst(2));
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 8}, {1}, V{1, 0}), ColumnsFirst(1)) << "as many rows as columns";
}

TEST(RowLayoutAfterTranspose, RefusesAnotherOrderOfRowsOrColumns) {
  EXPECT_EQ(RowLayoutAfterTranspose(V{2, 4, 512}, {2}, V{1, 0, 2}), std::nullopt);
  EXPECT_EQ(RowLayoutAfterTranspose(V{2, 4, 512}, {2}, V{2, 1, 0}), std::nullopt);
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 4, 128}, {1}, V{2, 1, 0}), std::nullopt);
  EXPECT_EQ(RowLayoutAfterTranspose(V{2, 4, 512}, {2}, V{0, 2, 1}), std::nullopt) << "columns in the middle of rows";
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 512}, {1}, V{0, 7}), std::nullopt);
  EXPECT_EQ(RowLayoutAfterTranspose(V{8, 512}, {1}, V{0}), std::nullopt);
}

hlo::Shape ShapeOf(V dimensions, V minor_to_major) {
  hlo::Shape shape;
  shape.element_type = hlo::PrimitiveType::kF32;
  shape.dimensions = std::move(dimensions);
  shape.minor_to_major = std::move(minor_to_major);
  return shape;
}

std::optional<RowLayout> Bitcast(const hlo::Shape& from, const RowLayout& fold, const hlo::Shape& to) {
  return RowLayoutAfterBitcast(from, fold, to);
}

TEST(BitcastReshapes, WhereNothingButOnesComesOrGoes) {
  EXPECT_TRUE(BitcastReshapes(ShapeOf({8, 64}, {1, 0}), ShapeOf({2, 4, 64}, {2, 1, 0})));
  EXPECT_TRUE(BitcastReshapes(ShapeOf({1, 4, 96}, {1, 2, 0}), ShapeOf({4, 96}, {0, 1})));
  EXPECT_FALSE(BitcastReshapes(ShapeOf({1, 4, 96}, {2, 1, 0}), ShapeOf({4, 96}, {0, 1}))) << "places change";
  EXPECT_FALSE(BitcastReshapes(ShapeOf({4, 96}, {0, 1}), ShapeOf({96, 4}, {1, 0}))) << "it transposes";
  EXPECT_FALSE(BitcastReshapes(ShapeOf({4, 96}, {0, 1}), ShapeOf({2, 2, 96}, {1, 0, 2})));
}

TEST(RowLayoutAfterBitcast, TakesOneBetweenRowMajorShapesForAReshape) {
  EXPECT_EQ(Bitcast(ShapeOf({8, 64}, {1, 0}), {1}, ShapeOf({2, 4, 64}, {2, 1, 0})), RowsFirst(2));
  EXPECT_EQ(Bitcast(ShapeOf({8, 64}, {}), {1}, ShapeOf({2, 4, 64}, {})), RowsFirst(2)) << "no layout is row-major";
  EXPECT_EQ(Bitcast(ShapeOf({8, 1}, {0, 1}), {1}, ShapeOf({8}, {0})), RowsFirst(1)) << "ones may lie anywhere";
}

TEST(RowLayoutAfterBitcast, LetsDimensionsOfSizeOneComeAndGoInAnyLayout) {
  EXPECT_EQ(Bitcast(ShapeOf({1, 4, 96}, {1, 2, 0}), {2}, ShapeOf({4, 96}, {0, 1})), RowsFirst(1));
  EXPECT_EQ(Bitcast(ShapeOf({2, 4, 96}, {1, 2, 0}), {2}, ShapeOf({2, 4, 1, 96}, {1, 3, 2, 0})), RowsFirst(2));
  EXPECT_EQ(Bitcast(ShapeOf({32, 8}, {1, 0}), {1, true}, ShapeOf({32, 8, 1}, {1, 0, 2})), ColumnsFirst(1));
}

TEST(RowLayoutAfterBitcast, TransposesWhereTheLayoutsDo) {
  EXPECT_EQ(Bitcast(ShapeOf({4, 96}, {0, 1}), {1}, ShapeOf({96, 4}, {1, 0})), ColumnsFirst(1));
  EXPECT_EQ(Bitcast(ShapeOf({96, 4}, {1, 0}), {1, true}, ShapeOf({2, 2, 96}, {1, 0, 2})), RowsFirst(2));
  EXPECT_EQ(Bitcast(ShapeOf({8, 8}, {1, 0}), {1}, ShapeOf({8, 8}, {0, 1})), ColumnsFirst(1));
}

TEST(RowLayoutAfterBitcast, RefusesWhatMovesElements) {
  EXPECT_EQ(Bitcast(ShapeOf({1, 4, 96}, {2, 1, 0}), {2}, ShapeOf({4, 96}, {0, 1})), std::nullopt);
  EXPECT_EQ(Bitcast(ShapeOf({4, 96}, {0, 1}), {1}, ShapeOf({4, 96}, {1, 0})), std::nullopt);
  EXPECT_EQ(Bitcast(ShapeOf({2, 4, 96}, {0, 1, 2}), {2}, ShapeOf({96, 8}, {1, 0})), std::nullopt) << "rows reordered";
  hlo::Shape tiled = ShapeOf({4, 96}, {0, 1});
  tiled.is_plain = false;
  EXPECT_EQ(Bitcast(tiled, {1}, ShapeOf({96, 4}, {1, 0})), std::nullopt) << "not dense";
}

// The row layout after %m, the only move.
std::string After(const std::string& move, const RowLayout& fold) {
  const TestGraph test("main { x = f32[2,4,96] parameter(0) " + move + " }");
  const Decision<RowLayout> after = RowLayoutAfterMove(test.graph(), test["m"], fold);
  if (!after) return after.error().text;
  return (after->columns_first ? "columns first at " : "rows first at ") + std::to_string(after->split);
}

TEST(RowLayoutAfterMove, FollowsEachKindOfMove) {
  EXPECT_EQ(After("m = f32[8,96] reshape(x)", {2}), "rows first at 1");
  EXPECT_EQ(After("m = f32[2,4,96] copy(x)", {2}), "rows first at 2");
  EXPECT_EQ(After("m = f32[96,2,4] transpose(x), dimensions={2,0,1}", {2}), "columns first at 1");
  EXPECT_EQ(After("m = f32[8,96] bitcast(x)", {2}), "rows first at 1");
}

TEST(RowLayoutAfterMove, SaysWhatMovesElements) {
  EXPECT_EQ(After("m = f32[4,192] reshape(x)", {2}), "reshape from f32[2,4,96] to f32[4,192] mixes rows and width");
  EXPECT_EQ(After("m = f32[4,2,96] transpose(x), dimensions={1,0,2}", {2}), "transpose moves elements between rows");
  EXPECT_EQ(After("m = s32[2,4,96] bitcast(x)", {2}), "a bitcast changes the type");
}

TEST(RowLayoutBeforeMove, UndoesWhatTheMoveDoes) {
  const TestGraph test(R"(main { x = f32[2,4,96] parameter(0)
                                 t = f32[96,2,4] transpose(x), dimensions={2,0,1}
                                 r = f32[96,8] reshape(t)
                                 mixed = f32[4,2,96] transpose(x), dimensions={1,0,2} })");
  EXPECT_EQ(RowLayoutBeforeMove(test.graph(), test["r"], {1, true}), ColumnsFirst(1));
  EXPECT_EQ(RowLayoutBeforeMove(test.graph(), test["t"], {1, true}), RowsFirst(2));
  EXPECT_EQ(RowLayoutBeforeMove(test.graph(), test["t"], {1}), ColumnsFirst(2)) << "96 rows";
  EXPECT_EQ(RowLayoutBeforeMove(test.graph(), test["mixed"], {2}), std::nullopt);
}

}  // namespace
}  // namespace jax_oneshot
