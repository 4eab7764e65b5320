// SPDX-License-Identifier: Apache-2.0
// ModuleFromText, read back through the view.
#include "xla_pass/hlo_view/hlo_text_builder.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/hlo_view/replica_groups.h"

namespace jax_oneshot::hlo {
namespace {

constexpr char kModule[] = R"(
  add {
    a = f32[] parameter(0)
    b = f32[] parameter(1)
    ROOT sum = f32[] add(a, b)
    unread = f32[] negate(sum)
  }
  main {
    x = bf16[4,8]{0,1} parameter(0)
    two = bf16[4,8] constant(2)
    table = s32[3] constant({0,-8,16})
    ar = (bf16[4,8], f32[]) all-reduce(x, two), channel_id=3, replica_groups={{0,1},{2,3}}, to_apply=add
    y = bf16[4,8] get-tuple-element(ar), index=1, control-predecessors={table}
    w = bf16[4,1] reduce-window(y, two), window={size=1x3 pad=0_0x1_0}, to_apply=add
    less = pred[4,8] compare(x, y), direction=LT, type=TOTALORDER
    b = bf16[4,8,2] broadcast(y), dimensions={0,1}
  }
)";

class HloTextBuilderTest : public testing::Test {
 protected:
  const Instruction& main(int i) const { return module_->computations[1].instructions[i]; }

  const std::string bytes_ = ModuleFromText(kModule);
  const Result<Module> module_ = ParseModule(bytes_);
};

TEST_F(HloTextBuilderTest, WritesComputationsRootsAndShapes) {
  ASSERT_TRUE(module_) << module_.error();
  EXPECT_EQ(module_->computations[0].root, 2);
  EXPECT_EQ(module_->computations[1].root, 7);
  EXPECT_EQ(module_->entry, 1);
  EXPECT_EQ(main(0).id, 5);
  EXPECT_FALSE(main(0).shape->IsRowMajor());
  EXPECT_TRUE(main(1).shape->IsRowMajor());
  EXPECT_EQ(main(3).shape->ToString(), "(bf16[4,8], f32[])");
}

TEST_F(HloTextBuilderTest, WritesAttributesAndConstants) {
  ASSERT_TRUE(module_) << module_.error();
  EXPECT_EQ(ScalarLiteral(main(1)).value(), 2);
  EXPECT_EQ(IntegerLiteral(main(2)).value(), (std::vector<int64_t>{0, -8, 16}));
  EXPECT_EQ(DecodeReplicaGroups(main(3))->groups, (std::vector<std::vector<int64_t>>{{0, 1}, {2, 3}}));
  EXPECT_EQ(main(3).channel_id, 3);
  EXPECT_EQ(main(3).called_computations[0], 0);
  EXPECT_EQ(main(4).number, 1);
  EXPECT_EQ(main(4).control_predecessors[0], 2);
  const auto window = DecodeWindow(main(5));
  ASSERT_TRUE(window) << window.error();
  EXPECT_EQ(window->at(1).stride, 3);
  EXPECT_EQ(window->at(1).padding_low, 1);
  EXPECT_EQ(window->at(1).padding_high, 0);
  EXPECT_EQ(main(6).comparison_direction(), "LT");
  EXPECT_TRUE(main(6).is_total_order());
  EXPECT_EQ(main(7).dimensions[1], 1);
}

std::string ErrorOf(std::string_view text) {
  try {
    ModuleFromText(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "parsed";
}

TEST(ModuleFromText, SaysWhatItDoesNotUnderstand) {
  EXPECT_EQ(ErrorOf("m { x = f32[8] parameter(0) }"), "parsed");
  EXPECT_EQ(ErrorOf("m { x = f31[8] parameter(0) }"), "HLO text: 'f31' is no type, at '[8] parameter(0) }'");
  EXPECT_EQ(ErrorOf("m { y = f32[8] abs(x) }"), "HLO text: 'x' is not defined before at ' }'");
  EXPECT_EQ(ErrorOf("m { x = f32[8] iota(), colour=1 }"), "HLO text: attribute 'colour' is not understood at ' }'");
  EXPECT_EQ(ErrorOf("m = { }"), "HLO text: expected '{' at '= { }'");
}

}  // namespace
}  // namespace jax_oneshot::hlo
