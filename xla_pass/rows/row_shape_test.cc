// SPDX-License-Identifier: Apache-2.0
// How dimensions map onto [rows, width]: each rule with a near miss.
#include "xla_pass/rows/row_shape.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace jax_oneshot {
namespace {

using V = std::vector<int64_t>;
constexpr RowExtent kExtent = {8, 512};

std::optional<RowLayout> F(int split) { return RowLayout{split}; }
std::optional<RowLayout> Transposed(int split) { return RowLayout{split, true}; }

TEST(KindAt, TellsWhatAShapeVariesOver) {
  EXPECT_EQ(KindAt(V{2, 4, 512}, {2}, kExtent), Kind::kRow);
  EXPECT_EQ(KindAt(V{8}, {1}, kExtent), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{2, 4, 1}, {2}, kExtent), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{512}, {0}, kExtent), Kind::kVec);
  EXPECT_EQ(KindAt(V{}, {0}, kExtent), Kind::kScalar);
}

TEST(KindAt, RefusesShapesOfAnotherExtent) {
  EXPECT_EQ(KindAt(V{4, 512}, {1}, kExtent), std::nullopt);
  EXPECT_EQ(KindAt(V{8, 256}, {1}, kExtent), std::nullopt);
  EXPECT_EQ(KindAt(V{8, 512}, {0}, kExtent), std::nullopt);
}

TEST(KindAt, TellsRowsFromWidthWhenBothHaveOneSize) {
  const RowExtent square = {64, 64};
  EXPECT_EQ(KindAt(V{64}, {1}, square), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{64}, {0}, square), Kind::kVec);
}

TEST(KindAt, ReadsTransposedShapes) {
  EXPECT_EQ(KindAt(V{512, 2, 4}, {1, true}, kExtent), Kind::kRow);
  EXPECT_EQ(KindAt(V{512}, {1, true}, kExtent), Kind::kVec);
  EXPECT_EQ(KindAt(V{8}, {0, true}, kExtent), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{1, 8}, {1, true}, kExtent), Kind::kRowScalar);
  EXPECT_EQ(KindAt(V{8, 512}, {1, true}, kExtent), std::nullopt);
}

TEST(DefaultRowLayout, IsBeforeTheLastDimensionThatIsNotOne) {
  EXPECT_EQ(DefaultRowLayout(V{2, 4, 512}), RowLayout{2});
  EXPECT_EQ(DefaultRowLayout(V{4096, 8, 1, 1}), RowLayout{1});
  EXPECT_EQ(DefaultRowLayout(V{512}), RowLayout{0});
  EXPECT_EQ(DefaultRowLayout(V{1, 1}), RowLayout{0});
  EXPECT_EQ(DefaultRowLayout(V{}), RowLayout{0});
}

TEST(RowLayoutsAgree, WhenOnlyDimensionsOfSizeOneLieBetween) {
  EXPECT_TRUE(RowLayoutsAgree(V{8, 1, 512}, {1}, {2}));
  EXPECT_FALSE(RowLayoutsAgree(V{2, 4, 512}, {1}, {2}));
}

TEST(RowLayoutsAgree, OnTransposedShapesOnlyWhereRowsAreRows) {
  EXPECT_FALSE(RowLayoutsAgree(V{8, 8}, {1}, {1, true})) << "as many rows as columns";
  EXPECT_TRUE(RowLayoutsAgree(V{8, 1}, {1}, {0, true}));
  EXPECT_TRUE(RowLayoutsAgree(V{1, 512}, {1}, {2, true})) << "one row";
  EXPECT_TRUE(RowLayoutsAgree(V{512, 1, 8}, {1, true}, {2, true}));
}

TEST(RowLayoutAfterReshape, KeepsWhatComesFirst) {
  EXPECT_EQ(RowLayoutAfterReshape(V{512, 8}, {1, true}, V{512, 2, 4}), Transposed(1));
  EXPECT_EQ(RowLayoutAfterReshape(V{512, 8}, {1, true}, V{4, 128, 8}), Transposed(2));
  EXPECT_EQ(RowLayoutAfterReshape(V{512, 8}, {1, true}, V{8, 512}), std::nullopt);
  EXPECT_EQ(RowLayoutAfterReshape(V{8, 8}, {1, true}, V{8, 2, 4}), Transposed(1));
  EXPECT_EQ(RowLayoutAfterReshape(V{512, 1}, {1, true}, V{512}), F(0)) << "one row is not transposed";
}

TEST(RowLayoutAfterReshape, KeepsRowsWhole) {
  EXPECT_EQ(RowLayoutAfterReshape(V{8, 512}, {1}, V{2, 4, 512}), F(2));
  EXPECT_EQ(RowLayoutAfterReshape(V{8, 512}, {1}, V{8, 4, 128}), F(1));
  EXPECT_EQ(RowLayoutAfterReshape(V{8, 512}, {1}, V{4, 1024}), std::nullopt);
}

TEST(RowLayoutAfterBroadcast, PutsARowScalarInFrontOfTheWidth) {
  EXPECT_EQ(RowLayoutAfterBroadcast(V{8}, {1}, V{0}, V{8, 512}, kExtent), F(1));
  EXPECT_EQ(RowLayoutAfterBroadcast(V{2, 4}, {2}, V{0, 1}, V{2, 4, 512}, kExtent), F(2));
}

TEST(RowLayoutAfterBroadcast, PutsTheWidthInFrontOfARowScalar) {
  EXPECT_EQ(RowLayoutAfterBroadcast(V{64}, {1}, V{1}, V{64, 64}, {64, 64}), Transposed(1));
  EXPECT_EQ(RowLayoutAfterBroadcast(V{8}, {1}, V{1}, V{512, 8}, kExtent), Transposed(1));
  EXPECT_EQ(RowLayoutAfterBroadcast(V{8, 8}, {1, true}, V{0, 1}, V{8, 8, 1}, {8, 8}), Transposed(1));
  EXPECT_EQ(RowLayoutAfterBroadcast(V{8}, {1}, V{1}, V{1, 8}, kExtent), F(2)) << "one column";
}

TEST(RowLayoutAfterBroadcast, RefusesOtherWidthsAndDimensionsBetween) {
  EXPECT_EQ(RowLayoutAfterBroadcast(V{8}, {1}, V{0}, V{8, 100}, kExtent), std::nullopt);
  EXPECT_EQ(RowLayoutAfterBroadcast(V{8}, {1}, V{1}, V{100, 8}, kExtent), std::nullopt);
  EXPECT_EQ(RowLayoutAfterBroadcast(V{2, 4}, {2}, V{0, 2}, V{2, 512, 4}, kExtent), std::nullopt);
  EXPECT_EQ(RowLayoutAfterBroadcast(V{}, {0}, V{}, V{512, 8}, kExtent), std::nullopt) << "nothing says where rows are";
}

TEST(RowLayoutBeforeBroadcast, TellsRowsFromColumnsOfATransposedShape) {
  EXPECT_EQ(RowLayoutBeforeBroadcast(V{64}, V{0}, {1, true}), F(0)) << "a weight";
  EXPECT_EQ(RowLayoutBeforeBroadcast(V{64}, V{1}, {1, true}), F(1)) << "one number per row";
  EXPECT_EQ(RowLayoutBeforeBroadcast(V{64, 64}, V{0, 1}, {1, true}), Transposed(1));
}

TEST(RowLayoutBeforeBroadcast, CountsTheDimensionsThatLandInTheRows) {
  EXPECT_EQ(RowLayoutBeforeBroadcast(V{512}, V{1}, {1}), F(0));
  EXPECT_EQ(RowLayoutBeforeBroadcast(V{8}, V{0}, {1}), F(1));
  EXPECT_EQ(RowLayoutBeforeBroadcast(V{8, 512}, V{1, 0}, {1}), std::nullopt);
}

TEST(ReducesTheWidth, OnlyWhenAllOfItAndNothingElseIsReduced) {
  EXPECT_TRUE(ReducesTheWidth(V{8, 512}, {1}, V{1}));
  EXPECT_TRUE(ReducesTheWidth(V{8, 4, 128}, {1}, V{1, 2}));
  EXPECT_TRUE(ReducesTheWidth(V{8, 1, 512}, {2}, V{1, 2}));
  EXPECT_FALSE(ReducesTheWidth(V{8, 4, 128}, {1}, V{2}));
  EXPECT_FALSE(ReducesTheWidth(V{8, 512}, {1}, V{0, 1}));
  EXPECT_TRUE(ReducesTheWidth(V{512, 1, 8}, {1, true}, V{0}));
  EXPECT_FALSE(ReducesTheWidth(V{8, 8}, {1, true}, V{1}));
  EXPECT_EQ(RowLayoutAfterReduce({1, true}, V{0}, V{2, 4}), RowLayout{2});
  EXPECT_EQ(RowLayoutAfterReduce({2}, V{1, 2}, V{8}), RowLayout{1});
}

}  // namespace
}  // namespace jax_oneshot
