// SPDX-License-Identifier: Apache-2.0
#include "row_program/kernel_name.h"

#include <gtest/gtest.h>

#include <string>

#include "row_program/text.h"

namespace jax_oneshot {
namespace {

constexpr char kPlain[] = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)";

// Residual add and RMSNorm; `role` and `read` say whether the weights are local or gathered.
std::string RmsNorm(const std::string& role, const std::string& read) {
  return "v1 (a0: sum bf16 row, a1: local bf16 row, a2: " + role +
         " bf16 vec) { x0: bf16 row = all_reduce a0; "
         "x1: bf16 row = load a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
         "x5: f32 rowscalar = reduce_sum x4; x6: f32 rowscalar = rsqrt x5; x7: f32 row = multiply x3, x6; "
         "x8: bf16 row = convert x7; x9: bf16 vec = " +
         read + " a2; x10: bf16 row = multiply x8, x9 } -> (x10: row, x2: row)";
}

RowProgram ProgramOf(const std::string& text) { return ParseRowProgram(text).value(); }

TEST(KernelName, SaysWhatCrossesRanksTypeExtentAndRanks) {
  EXPECT_EQ(KernelName(ProgramOf(kPlain), 8, 4096, 8), "oneshot_all_reduce_bf16_8x4096_tp8");
  EXPECT_EQ(KernelName(ProgramOf("v1 (a0: max f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)"), 1, 64, 2),
            "oneshot_all_reduce_max_f32_1x64_tp2");
}

TEST(KernelName, ListsEachKindOfOperationOnceInOrder) {
  EXPECT_EQ(KernelName(ProgramOf(RmsNorm("local", "load")), 8, 4096, 8),
            "oneshot_all_reduce_add_multiply_reduce_sum_rsqrt_fusion_bf16_8x4096_tp8");
  EXPECT_EQ(KernelName(ProgramOf(RmsNorm("gather", "all_gather")), 8, 4096, 4),
            "oneshot_all_reduce_all_gather_add_multiply_reduce_sum_rsqrt_fusion_bf16_8x4096_tp4");
}

TEST(KernelName, StopsAtSixKindsOfOperations) {
  EXPECT_EQ(KernelName(ProgramOf("v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = abs x0; "
                                 "x2: bf16 row = negate x1; x3: bf16 row = exponential x2; x4: bf16 row = tanh x3; "
                                 "x5: bf16 row = sqrt x4; x6: bf16 row = floor x5; x7: bf16 row = ceil x6 } "
                                 "-> (x7: row)"),
                       2, 256, 2),
            "oneshot_all_reduce_abs_negate_exponential_tanh_sqrt_floor_fusion_bf16_2x256_tp2");
}

}  // namespace
}  // namespace jax_oneshot
