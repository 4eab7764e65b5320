// SPDX-License-Identifier: Apache-2.0
// New instructions, parsed back through the view.
#include "xla_pass/rewrite/instruction_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ffi_kernels/call_attributes.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using hlo::PrimitiveType;
using hlo::TestComputation;
using hlo::TestParameter;

// A computation of parameter 1 and these serialized instructions, parsed back.
class ReadBack {
 public:
  explicit ReadBack(const std::vector<std::string>& instructions, int64_t root_id) {
    namespace field = hlo::fields;
    const TestComputation computation{1, "main", {TestParameter(1, 0)}, root_id};
    std::string body = computation.Encode();
    wire::Writer more;
    for (const std::string& instruction : instructions) {
      more.Bytes(field::hlo_computation::kInstructions, instruction);
    }
    body += more.Take();
    bytes_ = wire::Writer()
                 .Bytes(field::hlo_module::kName, "m")
                 .Bytes(field::hlo_module::kComputations, body)
                 .Integer(field::hlo_module::kEntryComputationId, 1)
                 .Take();
    module_ = hlo::ParseModule(bytes_);
  }
  const Result<hlo::Module>& module() const { return module_; }
  const hlo::Instruction& at(int i) const { return module_->computations[0].instructions[i]; }

 private:
  std::string bytes_;
  Result<hlo::Module> module_ = Err("not parsed");
};

TEST(InstructionBytes, WritesACallAndTheElementsOfItsTuple) {
  const std::string shape = hlo::TestShape(PrimitiveType::kF32, {8});
  CustomCall call;
  call.target = kCallTarget;
  call.identity = {"jax_oneshot.0", 2, "meta"};
  call.shape = TupleShape({shape, shape});
  call.operand_ids = {1};
  call.operand_shapes = {shape};
  call.backend_config = "{rows = 8 : i64}";
  const ReadBack read({CustomCallBytes(call), GetTupleElementBytes({"y", 3, ""}, shape, 2, 1)}, 3);
  ASSERT_TRUE(read.module()) << read.module().error();
  EXPECT_EQ(read.at(1).opcode, hlo::Opcode::kCustomCall);
  EXPECT_EQ(read.at(1).custom_call_target(), kCallTarget);
  EXPECT_EQ(read.at(1).metadata(), "meta");
  EXPECT_EQ(read.at(1).shape->ToString(), "(f32[8], f32[8])");
  EXPECT_EQ(read.at(2).opcode, hlo::Opcode::kGetTupleElement);
  EXPECT_EQ(read.at(2).number, 1);
  EXPECT_EQ(read.at(2).operands[0], 1);
}

TEST(InstructionBytes, WritesLogicalIdsAsUnsignedScalars) {
  const ReadBack read({LogicalIdBytes({"partition-id.0", 2, ""}, "partition-id")}, 2);
  ASSERT_TRUE(read.module()) << read.module().error();
  EXPECT_EQ(read.at(1).opcode, hlo::Opcode::kPartitionId);
  EXPECT_EQ(read.at(1).shape->ToString(), "u32[]");
}

TEST(InstructionBytes, ClonesUnderAnotherIdentityAndKeepsTheRest) {
  hlo::TestInstruction slice{7, "slice", "dynamic-slice", {1}, {}, {}, "", hlo::TestShape(PrimitiveType::kBF16, {64})};
  slice.more = wire::Writer().Packed(hlo::fields::hlo_instruction::kDynamicSliceSizes, {64}).Take();
  const std::string bytes = slice.Encode();
  hlo::Instruction original;
  original.bytes = bytes;
  const std::string clone = CloneBytes(original, {"copy.1", 9, ""}, {1});
  EXPECT_NE(clone.find(slice.more), std::string::npos) << "fields nobody decoded come along";
  const ReadBack read({clone}, 9);
  ASSERT_TRUE(read.module()) << read.module().error();
  EXPECT_EQ(read.at(1).name, "copy.1");
  EXPECT_EQ(read.at(1).id, 9);
  EXPECT_EQ(read.at(1).opcode_name, "dynamic-slice");
  EXPECT_EQ(read.at(1).shape->ToString(), "bf16[64]");
}

TEST(InstructionBytes, GivesAShapeWithoutLayoutTheRowMajorOne) {
  const std::string bare = wire::Writer()
                               .Integer(hlo::fields::shape::kElementType, static_cast<int64_t>(PrimitiveType::kF32))
                               .Packed(hlo::fields::shape::kDimensions, {2, 3})
                               .Take();
  const Result<hlo::Shape> shape = hlo::ParseShape(bare);
  ASSERT_TRUE(shape) << shape.error();
  const std::string with_layout = ShapeWithLayout(*shape);
  const Result<hlo::Shape> again = hlo::ParseShape(with_layout);
  ASSERT_TRUE(again) << again.error();
  EXPECT_TRUE(again->has_layout);
  EXPECT_TRUE(again->IsRowMajor());
}

TEST(InstructionBytes, CopiesBetweenLayouts) {
  const std::string columns_first = hlo::TestShape(PrimitiveType::kBF16, {4, 8}, {0, 1});
  const Result<hlo::Shape> shape = hlo::ParseShape(columns_first);
  ASSERT_TRUE(shape) << shape.error();
  const std::string row_major = RowMajorShape(*shape);
  const ReadBack read({CopyBytes({"there", 8, ""}, row_major, 1), CopyBytes({"back", 9, ""}, columns_first, 8)}, 9);
  ASSERT_TRUE(read.module()) << read.module().error();
  EXPECT_EQ(read.at(1).opcode_name, "copy");
  EXPECT_EQ(read.at(1).shape->ToString(), "bf16[4,8]");
  EXPECT_TRUE(read.at(1).shape->IsRowMajor());
  EXPECT_FALSE(read.at(2).shape->IsRowMajor());
  EXPECT_EQ(read.at(2).operands[0], 1);
}

}  // namespace
}  // namespace jax_oneshot
