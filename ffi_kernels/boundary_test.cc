// SPDX-License-Identifier: Apache-2.0
// Buffers that match a program, and the errors for those that do not.
#include "ffi_kernels/boundary.h"

#include <gtest/gtest.h>

#include <memory>

#include "row_program/text.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

// Buffers as XLA passes them.
class Buffers {
 public:
  Buffers& Add(ffi::DataType dtype, std::vector<int64_t> dimensions) {
    dimensions_.push_back(std::make_unique<std::vector<int64_t>>(std::move(dimensions)));
    raw_.push_back(std::make_unique<XLA_FFI_Buffer>(
        XLA_FFI_Buffer{XLA_FFI_Buffer_STRUCT_SIZE, nullptr, static_cast<XLA_FFI_DataType>(dtype), nullptr,
                       static_cast<int64_t>(dimensions_.back()->size()), dimensions_.back()->data()}));
    return *this;
  }
  std::vector<ffi::AnyBuffer> Get() const {
    std::vector<ffi::AnyBuffer> all;
    for (const auto& raw : raw_) all.emplace_back(raw.get());
    return all;
  }

 private:
  std::vector<std::unique_ptr<std::vector<int64_t>>> dimensions_;
  std::vector<std::unique_ptr<XLA_FFI_Buffer>> raw_;
};

Boundary NormBoundary() {
  const RowProgram program = *ParseRowProgram(
      "v1 (a0: sum bf16 row, a1: local f32 vec) { x0: f32 row = all_reduce a0; x1: f32 vec = load a1;"
      "x2: f32 row = multiply x0, x1 } -> (x2: row)");
  return Boundary(program, 8, 512, 4, TrailingIds::kReplicaAndPartition);
}

TEST(Boundary, AcceptsAnyShapeWithTheRightNumberOfElements) {
  Buffers in, out;
  in.Add(ffi::BF16, {2, 4, 512}).Add(ffi::F32, {512}).Add(ffi::U32, {}).Add(ffi::U32, {});
  out.Add(ffi::F32, {8, 1, 512});
  EXPECT_EQ(NormBoundary().Problems(in.Get(), out.Get()), "");
}

TEST(Boundary, NamesEveryBufferThatIsWrongInOneMessage) {
  Buffers in, out;
  in.Add(ffi::F32, {8, 512}).Add(ffi::F32, {511}).Add(ffi::U32, {}).Add(ffi::S32, {});
  out.Add(ffi::BF16, {8, 512});
  EXPECT_EQ(NormBoundary().Problems(in.Get(), out.Get()),
            "\n  operand 0 (a0: sum bf16 row): expected bf16 with 4096 elements, came f32[8,512]"
            "\n  operand 1 (a1: local f32 vec): expected f32 with 512 elements, came f32[511]"
            "\n  operand 3 (partition-id): expected u32 with 1 elements, came XLA_FFI_DataType 4[]"
            "\n  result 0 (x2: f32 row): expected f32 with 4096 elements, came bf16[8,512]");
}

TEST(Boundary, CountsOperands) {
  Buffers in, out;
  in.Add(ffi::BF16, {8, 512}).Add(ffi::F32, {512});
  out.Add(ffi::F32, {8, 512});
  EXPECT_EQ(NormBoundary().Problems(in.Get(), out.Get()), "\n  expected 4 operands, came 2");
}

TEST(Boundary, ExpectsNoIdsWhereTheCommunicatorKnowsTheRank) {
  const RowProgram program = *ParseRowProgram("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)");
  const Boundary boundary(program, 8, 512, 4, TrailingIds::kNone);
  Buffers in, out;
  in.Add(ffi::BF16, {8, 512});
  out.Add(ffi::BF16, {8, 512});
  EXPECT_EQ(boundary.Problems(in.Get(), out.Get()), "");
  in.Add(ffi::U32, {});
  EXPECT_EQ(boundary.Problems(in.Get(), out.Get()), "\n  expected 1 operands, came 2");
}

TEST(Boundary, ExpectsOneRanksColumnsOfWhatLiesInShards) {
  const RowProgram program = *ParseRowProgram(
      "v1 (a0: sum bf16 row, a1: gather bf16 vec) { x0: bf16 row = all_reduce a0; x1: bf16 vec = all_gather a1;"
      "x2: bf16 row = multiply x0, x1 } -> (x2: row shard)");
  const Boundary boundary(program, 8, 512, 4, TrailingIds::kNone);
  Buffers in, out;
  in.Add(ffi::BF16, {8, 512}).Add(ffi::BF16, {128});
  out.Add(ffi::BF16, {8, 128});
  EXPECT_EQ(boundary.Problems(in.Get(), out.Get()), "");
  Buffers whole_in, whole_out;
  whole_in.Add(ffi::BF16, {8, 512}).Add(ffi::BF16, {512});
  whole_out.Add(ffi::BF16, {8, 512});
  EXPECT_EQ(boundary.Problems(whole_in.Get(), whole_out.Get()),
            "\n  operand 1 (a1: gather bf16 vec): expected bf16 with 128 elements, came bf16[512]"
            "\n  result 0 (x2: bf16 row shard): expected bf16 with 1024 elements, came bf16[8,512]");
}

}  // namespace
}  // namespace jax_oneshot
