// Buffers that fit a program, and what is said of those that do not.
#include "ffi_kernels/cpu/boundary.h"

#include <gtest/gtest.h>

#include <memory>

#include "ffi_kernels/row_program/text.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

// Buffers as XLA hands them over.
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
  return Boundary(program, 8, 512);
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

}  // namespace
}  // namespace jax_oneshot
