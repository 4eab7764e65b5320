// SPDX-License-Identifier: Apache-2.0
// ParseInstruction: every field of the view, concatenated lists, and malformed input.
#include "xla_pass/hlo_view/parse_instruction.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace field = fields::hlo_instruction;
using wire::Writer;

class ParseInstructionTest : public testing::Test {
 protected:
  // The view and the shape table point into the bytes, so they are kept alive.
  Result<void> Parse(std::string bytes) {
    bytes_.push_back(std::move(bytes));
    instruction_ = Instruction();
    return ParseInstruction(bytes_.back(), &shapes_, &instruction_, &lists_);
  }

  std::deque<std::string> bytes_;
  ShapeTable shapes_;
  Instruction instruction_;
  InstructionLists lists_;
};

TestInstruction Hand(const std::string& name, const std::string& opcode) {
  TestInstruction hand;
  hand.name = name;
  hand.opcode = opcode;
  return hand;
}

TestInstruction Collective() {
  TestInstruction hand{7, "ar", "all-reduce", {3, 4}, {5}, {1}, "", TestShape(PrimitiveType::kBF16, {8, 64})};
  hand.more = Writer()
                  .Integer(field::kChannelId, 9)
                  .Integer(field::kUseGlobalDeviceIds, 1)
                  .Packed(field::kDimensions, {0, 1})
                  .Bytes(field::kMetadata, "where it comes from")
                  .Bytes(field::kCustomCallTarget, "target")
                  .Take();
  return hand;
}

TEST_F(ParseInstructionTest, ReadsWhatTheViewKeeps) {
  ASSERT_TRUE(Parse(Collective().Encode()));
  EXPECT_EQ(instruction_.bytes, bytes_.back());
  EXPECT_EQ(instruction_.name, "ar");
  EXPECT_EQ(instruction_.opcode, Opcode::kAllReduce);
  EXPECT_EQ(instruction_.opcode_name, "all-reduce");
  EXPECT_EQ(instruction_.shape->ToString(), "bf16[8,64]");
  EXPECT_EQ(instruction_.id, 7);
  EXPECT_EQ(instruction_.channel_id, 9);
  EXPECT_TRUE(instruction_.use_global_device_ids);
  EXPECT_EQ(instruction_.metadata(), "where it comes from");
  EXPECT_EQ(instruction_.custom_call_target(), "target");
  EXPECT_EQ(instruction_.window(), "") << "absent";
}

TEST_F(ParseInstructionTest, AppendsItsListsBehindThoseBefore) {
  ASSERT_TRUE(Parse(Collective().Encode()));
  ASSERT_TRUE(Parse(Collective().Encode()));
  EXPECT_EQ(lists_.operand_ids, (std::vector<int64_t>{3, 4, 3, 4}));
  EXPECT_EQ(lists_.control_predecessor_ids, (std::vector<int64_t>{5, 5}));
  EXPECT_EQ(lists_.called_computation_ids, (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(lists_.dimensions, (std::vector<int64_t>{0, 1, 0, 1}));
}

TEST_F(ParseInstructionTest, KeepsTheNumberOfAParameterAndOfATupleElement) {
  ASSERT_TRUE(Parse(TestParameter(1, 6).Encode()));
  EXPECT_EQ(instruction_.number, 6);
  TestInstruction element{2, "e", "get-tuple-element", {1}, {}, {}, Writer().Integer(field::kTupleIndex, 3).Take()};
  ASSERT_TRUE(Parse(element.Encode()));
  EXPECT_EQ(instruction_.number, 3);
}

TEST_F(ParseInstructionTest, KnowsATotalOrderInBothNotations) {
  const auto is_total = [&](uint32_t number, std::string_view value) {
    TestInstruction compare{3, "c", "compare", {1, 2}, {}, {}, Writer().Bytes(number, value).Take()};
    EXPECT_TRUE(Parse(compare.Encode()));
    return instruction_.is_total_order();
  };
  EXPECT_TRUE(is_total(field::kComparisonType, "TOTALORDER"));
  EXPECT_TRUE(is_total(field::kComparisonOrder, "TOTAL"));
  EXPECT_FALSE(is_total(field::kComparisonType, "FLOAT"));
  EXPECT_FALSE(is_total(field::kComparisonOrder, "PARTIAL"));
}

TEST_F(ParseInstructionTest, TakesAnOpcodeItDoesNotKnowByItsName) {
  ASSERT_TRUE(Parse(Hand("u", "ragged-dot").Encode()));
  EXPECT_EQ(instruction_.opcode, Opcode::kOther);
  EXPECT_EQ(instruction_.opcode_name, "ragged-dot");
}

TEST_F(ParseInstructionTest, RefusesAnInstructionWithoutNameOpcodeOrShape) {
  const std::string expected = "an instruction has no name, no opcode or no shape";
  EXPECT_EQ(Parse(Hand("", "abs").Encode()).error(), expected);
  EXPECT_EQ(Parse(Hand("x", "").Encode()).error(), expected);
  EXPECT_EQ(Parse(Writer().Bytes(field::kName, "x").Bytes(field::kOpcode, "abs").Take()).error(), expected);
  EXPECT_TRUE(Parse(Hand("x", "abs").Encode()));
}

TEST_F(ParseInstructionTest, RefusesMalformedListsShapesAndBytes) {
  const std::string cut_varint = "\xff";
  EXPECT_EQ(Parse(Writer().Bytes(field::kOperandIds, cut_varint).Take()).error(),
            "a list of integers is malformed (field 36)");
  EXPECT_FALSE(Parse(Writer().Bytes(field::kShape, cut_varint).Take()));
  const std::string whole = Collective().Encode();
  EXPECT_FALSE(Parse(whole.substr(0, whole.size() - 1)));
}

}  // namespace
}  // namespace jax_oneshot::hlo
