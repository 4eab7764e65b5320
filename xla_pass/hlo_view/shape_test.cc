// SPDX-License-Identifier: Apache-2.0
// ParseShape and the accessors of Shape, on hand-written ShapeProtos.
#include "xla_pass/hlo_view/shape.h"

#include <gtest/gtest.h>

#include <limits>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

Shape Parse(const std::string& bytes) {
  Result<Shape> shape = ParseShape(bytes);
  EXPECT_TRUE(shape) << shape.error();
  return shape.value_or(Shape());
}

std::string ErrorOf(const std::string& bytes) {
  Result<Shape> shape = ParseShape(bytes);
  return shape ? "parsed" : shape.error();
}

std::string WithLayoutField(uint32_t field, int64_t value) {
  return Writer()
      .Integer(fields::shape::kElementType, static_cast<int64_t>(PrimitiveType::kBF16))
      .Packed(fields::shape::kDimensions, {8})
      .Bytes(fields::shape::kLayout, Writer().Packed(fields::layout::kMinorToMajor, {0}).Integer(field, value).str())
      .Take();
}

std::string Tuple(const std::vector<std::string>& elements) {
  Writer out;
  out.Integer(fields::shape::kElementType, static_cast<int64_t>(PrimitiveType::kTuple));
  for (const std::string& element : elements) out.Bytes(fields::shape::kTupleShapes, element);
  return out.Take();
}

TEST(ParseShape, ReadsAnArrayAndPrintsItAsHloDoes) {
  const std::string bytes = TestShape(PrimitiveType::kBF16, {8, 4096});
  const Shape shape = Parse(bytes);
  EXPECT_EQ(shape.ToString(), "bf16[8,4096]");
  EXPECT_EQ(shape.ElementCount(), 8 * 4096);
  EXPECT_EQ(shape.bytes, bytes);
  EXPECT_TRUE(shape.has_layout);
  EXPECT_TRUE(shape.is_plain);
  EXPECT_TRUE(shape.IsRowMajor());
}

TEST(ParseShape, ReadsAScalarAndATuple) {
  const std::string tuple = Tuple({TestShape(PrimitiveType::kF32, {}), TestShape(PrimitiveType::kPred, {2})});
  EXPECT_EQ(Parse(tuple).ToString(), "(f32[], pred[2])");
  EXPECT_EQ(Parse(TestShape(PrimitiveType::kF32, {})).ElementCount(), 1);
}

TEST(ParseShape, KeepsATypeItHasNoNameFor) {
  EXPECT_EQ(Parse(TestShape(static_cast<PrimitiveType>(99), {2})).ToString(), "unknown[2]");
  EXPECT_EQ(PrimitiveTypeBytes(static_cast<PrimitiveType>(99)), 0);
}

TEST(ShapeIsRowMajor, HoldsForRowMajorLayoutsOnly) {
  EXPECT_TRUE(Parse(TestShape(PrimitiveType::kF32, {2, 3, 4}, {2, 1, 0})).IsRowMajor());
  EXPECT_FALSE(Parse(TestShape(PrimitiveType::kF32, {2, 3, 4}, {1, 2, 0})).IsRowMajor());
}

TEST(ShapeIsRowMajor, LetsDimensionsOfSizeOneStandAnywhere) {
  EXPECT_TRUE(Parse(TestShape(PrimitiveType::kF32, {2, 1, 4}, {1, 2, 0})).IsRowMajor());
  EXPECT_TRUE(Parse(TestShape(PrimitiveType::kF32, {1, 4}, {0, 1})).IsRowMajor());
}

TEST(ShapeIsRowMajor, HoldsWithoutALayoutButNotWithATiledOne) {
  const std::string free = Writer().Integer(fields::shape::kElementType, 11).Packed(3, {2, 2}).Take();
  EXPECT_TRUE(Parse(free).IsRowMajor());
  EXPECT_FALSE(Parse(WithLayoutField(fields::layout::kMemorySpace, 1)).IsRowMajor());
}

TEST(ShapeIsPlain, AcceptsDefaultsWrittenOut) {
  EXPECT_TRUE(Parse(WithLayoutField(fields::layout::kMemorySpace, 0)).is_plain);
  EXPECT_TRUE(Parse(WithLayoutField(fields::layout::kTailPaddingAlignmentInElements, 1)).is_plain);
  EXPECT_TRUE(Parse(WithLayoutField(fields::layout::kElementSizeInBits, 16)).is_plain);
}

TEST(ShapeIsPlain, RefusesWhatMovesOrPadsElements) {
  EXPECT_FALSE(Parse(WithLayoutField(fields::layout::kMemorySpace, 5)).is_plain);
  EXPECT_FALSE(Parse(WithLayoutField(fields::layout::kTailPaddingAlignmentInElements, 128)).is_plain);
  EXPECT_FALSE(Parse(WithLayoutField(fields::layout::kElementSizeInBits, 4)).is_plain);
  EXPECT_FALSE(Parse(WithLayoutField(fields::layout::kDimLevelTypes, 1)).is_plain);
}

TEST(ShapeIsPlain, RefusesADynamicDimensionButNotAFalseFlag) {
  const std::string shape = TestShape(PrimitiveType::kF32, {8});
  EXPECT_FALSE(Parse(shape + Writer().Packed(fields::shape::kIsDynamicDimension, {1}).str()).is_plain);
  EXPECT_TRUE(Parse(shape + Writer().Packed(fields::shape::kIsDynamicDimension, {0}).str()).is_plain);
}

TEST(ShapeElementCount, SaturatesInsteadOfOverflowing) {
  EXPECT_EQ(Parse(TestShape(PrimitiveType::kF32, {int64_t{1} << 40, int64_t{1} << 40})).ElementCount(), kMax);
  EXPECT_EQ(Parse(TestShape(PrimitiveType::kF32, {int64_t{1} << 40, int64_t{1} << 40, 0})).ElementCount(), 0);
  EXPECT_EQ(Parse(TestShape(PrimitiveType::kF32, {-1, 4})).ElementCount(), kMax);
}

TEST(ParseShape, RefusesALayoutThatIsNoPermutation) {
  EXPECT_EQ(ErrorOf(TestShape(PrimitiveType::kF32, {2, 3}, {0, 0})),
            "the layout of f32[2,3] is no permutation of its dimensions");
  EXPECT_EQ(ErrorOf(TestShape(PrimitiveType::kF32, {2, 3}, {0})),
            "the layout of f32[2,3] is no permutation of its dimensions");
  EXPECT_EQ(ErrorOf(TestShape(PrimitiveType::kF32, {2, 3}, {1, 2})),
            "the layout of f32[2,3] is no permutation of its dimensions");
}

TEST(ParseShape, RefusesTuplesNestedTooDeepButNotDeepOnes) {
  std::string shape = TestShape(PrimitiveType::kF32, {});
  for (int depth = 0; depth < 32; ++depth) shape = Tuple({shape});
  EXPECT_EQ(ErrorOf(shape), "parsed");
  EXPECT_EQ(ErrorOf(Tuple({shape})), "a tuple shape is nested over 32 deep");
}

TEST(ParseShape, RefusesTooManyDimensionsButNotTheMost) {
  EXPECT_EQ(ErrorOf(TestShape(PrimitiveType::kF32, std::vector<int64_t>(64, 1))), "parsed");
  EXPECT_EQ(ErrorOf(TestShape(PrimitiveType::kF32, std::vector<int64_t>(65, 1))),
            "a shape has 65 dimensions, expected at most 64");
}

TEST(ParseShape, RefusesACutShape) {
  const std::string shape = TestShape(PrimitiveType::kF32, {8, 4096});
  EXPECT_EQ(ErrorOf(shape.substr(0, shape.size() - 1)),
            "ShapeProto: a length points behind the end of the message at byte 7 of a message");
}

}  // namespace
}  // namespace jax_oneshot::hlo
