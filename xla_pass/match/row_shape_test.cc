// How dimensions fold onto [rows, width]: each rule with a near miss.
#include "xla_pass/match/row_shape.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace jax_oneshot {
namespace {

using V = std::vector<int64_t>;
constexpr RowExtent kExtent = {8, 512};

TEST(KindAt, TellsWhatAShapeVariesOver) {
  EXPECT_EQ(KindAt(V{2, 4, 512}, 2, kExtent), Kind::kRow);
  EXPECT_EQ(KindAt(V{8}, 1, kExtent), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{2, 4, 1}, 2, kExtent), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{512}, 0, kExtent), Kind::kVec);
  EXPECT_EQ(KindAt(V{}, 0, kExtent), Kind::kScalar);
}

TEST(KindAt, RefusesShapesOfAnotherExtent) {
  EXPECT_EQ(KindAt(V{4, 512}, 1, kExtent), std::nullopt);
  EXPECT_EQ(KindAt(V{8, 256}, 1, kExtent), std::nullopt);
  EXPECT_EQ(KindAt(V{8, 512}, 0, kExtent), std::nullopt);
}

TEST(KindAt, TellsRowsFromWidthWhenBothHaveOneSize) {
  const RowExtent square = {64, 64};
  EXPECT_EQ(KindAt(V{64}, 1, square), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{64}, 0, square), Kind::kVec);
}

TEST(SplitBeforeTheRow, IsBeforeTheLastDimensionThatIsNotOne) {
  EXPECT_EQ(SplitBeforeTheRow(V{2, 4, 512}), 2);
  EXPECT_EQ(SplitBeforeTheRow(V{4096, 8, 1, 1}), 1);
  EXPECT_EQ(SplitBeforeTheRow(V{512}), 0);
  EXPECT_EQ(SplitBeforeTheRow(V{1, 1}), 0);
  EXPECT_EQ(SplitBeforeTheRow(V{}), 0);
}

TEST(SplitsAgree, WhenOnlyDimensionsOfSizeOneLieBetween) {
  EXPECT_TRUE(SplitsAgree(V{8, 1, 512}, 1, 2));
  EXPECT_FALSE(SplitsAgree(V{2, 4, 512}, 1, 2));
}

TEST(SplitAfterReshape, KeepsRowsWhole) {
  EXPECT_EQ(SplitAfterReshape(V{8, 512}, 1, V{2, 4, 512}), 2);
  EXPECT_EQ(SplitAfterReshape(V{8, 512}, 1, V{8, 4, 128}), 1);
  EXPECT_EQ(SplitAfterReshape(V{8, 512}, 1, V{4, 1024}), std::nullopt);
}

TEST(SplitAfterBroadcast, PutsARowScalarInFrontOfTheWidth) {
  EXPECT_EQ(SplitAfterBroadcast(V{8}, 1, V{0}, V{8, 512}, kExtent), 1);
  EXPECT_EQ(SplitAfterBroadcast(V{2, 4}, 2, V{0, 1}, V{2, 4, 512}, kExtent), 2);
}

TEST(SplitAfterBroadcast, RefusesARowScalarSpreadAlongTheWidth) {
  EXPECT_EQ(SplitAfterBroadcast(V{64}, 1, V{1}, V{64, 64}, {64, 64}), std::nullopt);
  EXPECT_EQ(SplitAfterBroadcast(V{8}, 1, V{0}, V{8, 100}, kExtent), std::nullopt);
}

TEST(SplitBeforeBroadcast, CountsTheDimensionsThatLandInTheRows) {
  EXPECT_EQ(SplitBeforeBroadcast(V{512}, V{1}, 1), 0);
  EXPECT_EQ(SplitBeforeBroadcast(V{8}, V{0}, 1), 1);
  EXPECT_EQ(SplitBeforeBroadcast(V{8, 512}, V{1, 0}, 1), std::nullopt);
}

TEST(TransposeMovesNothing, WhenOnlyDimensionsOfSizeOneMove) {
  EXPECT_TRUE(TransposeMovesNothing(V{8, 1, 512}, V{1, 0, 2}));
  EXPECT_FALSE(TransposeMovesNothing(V{8, 1, 512}, V{2, 1, 0}));
  EXPECT_FALSE(TransposeMovesNothing(V{8, 512}, V{0, 7}));
}

TEST(ReducesTheWidth, OnlyWhenAllOfItAndNothingElseIsReduced) {
  EXPECT_TRUE(ReducesTheWidth(V{8, 512}, 1, V{1}));
  EXPECT_TRUE(ReducesTheWidth(V{8, 4, 128}, 1, V{1, 2}));
  EXPECT_TRUE(ReducesTheWidth(V{8, 1, 512}, 2, V{1, 2}));
  EXPECT_FALSE(ReducesTheWidth(V{8, 4, 128}, 1, V{2}));
  EXPECT_FALSE(ReducesTheWidth(V{8, 512}, 1, V{0, 1}));
  EXPECT_EQ(SplitAfterReduce(2, V{1, 2}), 1);
}

using Layout = std::vector<int64_t>;  // minor to major

bool Bitcast(const Layout& from, const Layout& from_layout, const Layout& to, const Layout& to_layout) {
  return BitcastReshapes(from, from_layout, to, to_layout);
}

TEST(RowShape, TakesABitcastBetweenRowMajorShapesForAReshape) {
  EXPECT_TRUE(Bitcast({8, 64}, {1, 0}, {2, 4, 64}, {2, 1, 0}));
  EXPECT_TRUE(Bitcast({8, 64}, {}, {2, 4, 64}, {})) << "no layout is row-major";
  EXPECT_TRUE(Bitcast({8, 1}, {0, 1}, {8}, {0})) << "dimensions of size one may lie anywhere";
}

TEST(RowShape, LetsDimensionsOfSizeOneComeAndGoInAnyLayout) {
  EXPECT_TRUE(Bitcast({1, 4, 96}, {1, 2, 0}, {4, 96}, {0, 1}));
  EXPECT_FALSE(Bitcast({1, 4, 96}, {2, 1, 0}, {4, 96}, {0, 1})) << "rows and columns change places";
  EXPECT_FALSE(Bitcast({4, 96}, {0, 1}, {96, 4}, {1, 0})) << "a transpose for which nothing moves";
  EXPECT_FALSE(Bitcast({4, 96}, {0, 1}, {2, 2, 96}, {1, 0, 2}));
}

}  // namespace
}  // namespace jax_oneshot
