// SPDX-License-Identifier: Apache-2.0
// ShapeTable: equal bytes give the same Shape, at a stable address.
#include "xla_pass/hlo_view/shape_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/hlo_view/hlo_builder.h"

namespace jax_oneshot::hlo {
namespace {

TEST(ShapeTable, GivesEqualBytesOneShape) {
  ShapeTable table;
  const std::string first = TestShape(PrimitiveType::kBF16, {8, 64});
  const std::string again = TestShape(PrimitiveType::kBF16, {8, 64});
  const std::string columns_first = TestShape(PrimitiveType::kBF16, {8, 64}, {0, 1});
  ASSERT_NE(first.data(), again.data());
  EXPECT_EQ(table.Find(first).value(), table.Find(again).value());
  EXPECT_NE(table.Find(first).value(), table.Find(columns_first).value()) << "another layout is another shape";
  EXPECT_EQ(table.Find(first).value()->ToString(), "bf16[8,64]");
}

TEST(ShapeTable, KeepsShapesInPlaceWhileItGrows) {
  std::vector<std::string> bytes;
  for (int64_t size = 1; size <= 1000; ++size) bytes.push_back(TestShape(PrimitiveType::kF32, {size}));
  ShapeTable table;
  const Shape* const first = table.Find(bytes[0]).value();
  for (const std::string& shape : bytes) ASSERT_TRUE(table.Find(shape));
  EXPECT_EQ(table.Find(bytes[0]).value(), first);
  EXPECT_EQ(first->ToString(), "f32[1]");
  EXPECT_EQ(table.Find(bytes[999]).value()->ToString(), "f32[1000]");
}

TEST(ShapeTable, RefusesBytesThatAreNoShapeEachTime) {
  ShapeTable table;
  const std::string cut = TestShape(PrimitiveType::kF32, {8}).substr(0, 3);
  const Result<const Shape*> first = table.Find(cut);
  ASSERT_FALSE(first);
  EXPECT_FALSE(first.error().empty());
  EXPECT_EQ(table.Find(cut).error(), first.error());
}

}  // namespace
}  // namespace jax_oneshot::hlo
