// SPDX-License-Identifier: Apache-2.0
// DecodeSplatLiteral and DecodeIntegerLiteral on LiteralProtos written by hand.
#include "xla_pass/hlo_view/literal.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using std::string_literals::operator""s;
using wire::Writer;

std::string Varints(PrimitiveType type, uint32_t field, const std::vector<int64_t>& values,
                    const std::vector<int64_t>& dimensions) {
  return Writer().Bytes(fields::literal::kShape, TestShape(type, dimensions)).Packed(field, values).Take();
}

std::string Bytes(PrimitiveType type, uint32_t field, const std::string& bytes,
                  const std::vector<int64_t>& dimensions) {
  return Writer().Bytes(fields::literal::kShape, TestShape(type, dimensions)).Bytes(field, bytes).Take();
}

double Splat(const std::string& literal) {
  const Result<double> value = DecodeSplatLiteral(literal);
  EXPECT_TRUE(value) << value.error();
  return value.value_or(-12345);
}

std::string SplatError(const std::string& literal) {
  const Result<double> value = DecodeSplatLiteral(literal);
  return value ? "decoded" : value.error();
}

TEST(DecodeSplatLiteral, ReadsScalarsOfEveryFloatType) {
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kF32, fields::literal::kF32s, "\0\0\x20\x40"s, {})), 2.5);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kF64, fields::literal::kF64s, "\0\0\0\0\0\0\x04\x40"s, {})), 2.5);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kBF16, fields::literal::kBf16s, "\x20\x40"s, {})), 2.5);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kF16, fields::literal::kF16s, "\0\x41"s, {})), 2.5);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kF8E4M3FN, fields::literal::kF8e4m3fns, "\x42"s, {})), 2.5);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kF8E5M2, fields::literal::kF8e5m2s, "\x41"s, {})), 2.5);
}

TEST(DecodeSplatLiteral, ReadsAnUnpackedFloat) {
  const std::string literal =
      Writer().Bytes(fields::literal::kShape, TestShape(PrimitiveType::kF32, {})).str() + "\x45\0\0\x20\x40"s;
  EXPECT_EQ(Splat(literal), 2.5);
}

TEST(DecodeSplatLiteral, ReadsIntegersAndPredicates) {
  EXPECT_EQ(Splat(Varints(PrimitiveType::kPred, fields::literal::kPreds, {1}, {})), 1);
  EXPECT_EQ(Splat(Varints(PrimitiveType::kS32, fields::literal::kS32s, {-7}, {})), -7);
  EXPECT_EQ(Splat(Varints(PrimitiveType::kU32, fields::literal::kU32s, {0xffffffff}, {})), 4294967295.0);
  EXPECT_EQ(Splat(Varints(PrimitiveType::kU64, fields::literal::kU64s, {-1}, {})), 18446744073709551616.0);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kS8, fields::literal::kS8s, "\xff", {})), -1);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kU8, fields::literal::kU8s, "\xff", {})), 255);
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kS16, fields::literal::kS16s, "\xfe\xff", {})), -2);
}

TEST(DecodeSplatLiteral, ReadsAnArrayOfOneValueButNotOfTwo) {
  EXPECT_EQ(Splat(Bytes(PrimitiveType::kBF16, fields::literal::kBf16s, "\x80\x3f\x80\x3f"s, {2})), 1);
  EXPECT_EQ(SplatError(Bytes(PrimitiveType::kBF16, fields::literal::kBf16s, "\x80\x3f\x80\x40"s, {2})),
            "the elements of a constant of type bf16[2] differ, expected one value");
}

TEST(DecodeSplatLiteral, RefusesAnEmptyArray) {
  EXPECT_EQ(SplatError(Bytes(PrimitiveType::kF32, fields::literal::kF32s, "", {0})),
            "a constant of type f32[0] has no elements");
}

TEST(DecodeSplatLiteral, RefusesTooFewElements) {
  EXPECT_EQ(SplatError(Bytes(PrimitiveType::kF32, fields::literal::kF32s, "\0\0\0\0"s, {2})),
            "a constant of type f32[2] holds 1 elements, expected 2");
}

TEST(DecodeSplatLiteral, RefusesHalfAnElement) {
  EXPECT_EQ(SplatError(Bytes(PrimitiveType::kF32, fields::literal::kF32s, "\0\0\0"s, {})),
            "malformed elements in a constant of type f32[]");
}

TEST(DecodeSplatLiteral, RefusesATypeItDoesNotRead) {
  EXPECT_EQ(SplatError(Bytes(PrimitiveType::kC64, fields::literal::kF32s, "\0\0\0\0"s, {})),
            "the value of a constant of type c64[] is not readable here");
}

TEST(DecodeIntegerLiteral, ReadsATableAndRefusesFloats) {
  const auto table = DecodeIntegerLiteral(Varints(PrimitiveType::kS32, fields::literal::kS32s, {0, 512, -1}, {3}));
  ASSERT_TRUE(table) << table.error();
  EXPECT_EQ(*table, (std::vector<int64_t>{0, 512, -1}));
  const auto floats = DecodeIntegerLiteral(Bytes(PrimitiveType::kF32, fields::literal::kF32s, "\0\0\0\0"s, {}));
  ASSERT_FALSE(floats);
  EXPECT_EQ(floats.error(), "expected a constant of an integer type, got f32[]");
}

}  // namespace
}  // namespace jax_oneshot::hlo
