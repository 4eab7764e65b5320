// SPDX-License-Identifier: Apache-2.0
// Which operands are copied before results overwrite them.
#include "ffi_kernels/cpu/in_place.h"

#include <gtest/gtest.h>

#include "row_program/text.h"

namespace jax_oneshot {
namespace {

// Loads a0 and a1 and stores x2 in the first phase; loads a2 and stores x6 in the second.
constexpr char kTwoPhases[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row, a2: local bf16 vec) { x0: bf16 row = all_reduce a0;"
    "x1: bf16 row = load a1; x2: bf16 row = add x0, x1; x3: bf16 rowscalar = reduce_max x2; x4: bf16 vec = load a2;"
    "x5: bf16 row = multiply x2, x3; x6: bf16 row = multiply x5, x4 } -> (x2: row, x6: row)";

constexpr int kRows = 4, kWidth = 8, kElements = kRows * kWidth;

// One rank whose operands and results start at these elements of one buffer; returns the operands that were copied.
class InPlaceTest : public testing::Test {
 protected:
  std::vector<bool> Copied(const std::vector<int>& inputs, const std::vector<int>& outputs) {
    const RowProgram program = *ParseRowProgram(kTwoPhases);
    const InPlace in_place(program, MakePlan(program, BaselineLoops()), kRows, kWidth);
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const int at : inputs) in.push_back(memory_ + at);
    for (const int at : outputs) out.push_back(memory_ + at);
    std::vector<RankBuffers> ranks = {{in.data(), out.data()}};
    in_place.Protect(&ranks, &copies_);
    std::vector<bool> copied;
    for (size_t i = 0; i < in.size(); ++i) {
      copied.push_back(ranks[0].inputs[i] != in[i]);
      EXPECT_EQ(*static_cast<const uint16_t*>(ranks[0].inputs[i]), memory_[inputs[i]]);
    }
    return copied;
  }

  InPlace::Copies copies_;
  uint16_t memory_[8 * kElements] = {1, 2, 3};
};

constexpr int kA0 = 0, kA1 = kElements, kFree = 3 * kElements, kA2 = 7 * kElements;

TEST_F(InPlaceTest, CopiesNothingWhereResultsHaveMemoryOfTheirOwn) {
  EXPECT_EQ(Copied({kA0, kA1, kA2}, {kFree, kFree + kElements}), (std::vector<bool>{false, false, false}));
}

TEST_F(InPlaceTest, CopiesNothingWhereEachElementIsReadBeforeItIsWritten) {
  EXPECT_EQ(Copied({kA0, kA1, kA2}, {kA1, kA0}), (std::vector<bool>{false, false, false}));
  EXPECT_EQ(Copied({kA0, kA1, kA2}, {kA0, kA1}), (std::vector<bool>{false, false, false}));
}

TEST_F(InPlaceTest, CopiesAVectorThatEveryRowReads) {
  EXPECT_EQ(Copied({kA0, kA1, kFree + 8}, {kA1, kFree}), (std::vector<bool>{false, false, true}));
}

TEST_F(InPlaceTest, CopiesARowThatAResultLiesAcross) {
  EXPECT_EQ(Copied({kA0, kA1, kA2}, {kA1 + 1, kFree}), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(Copied({kA0, kFree, kA2}, {kFree + kElements, kFree - 1}), (std::vector<bool>{false, true, false}));
}

TEST_F(InPlaceTest, UsesItsMemoryAgain) {
  Copied({kA0, kA1, kA2}, {kA1 + 1, kFree});
  const char* first = copies_.bytes[0].data();
  Copied({kA0, kA1, kA2}, {kA1 + 1, kFree});
  EXPECT_EQ(copies_.bytes.size(), 1u);
  EXPECT_EQ(copies_.bytes[0].data(), first);
}

}  // namespace
}  // namespace jax_oneshot
