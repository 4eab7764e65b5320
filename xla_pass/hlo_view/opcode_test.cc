// SPDX-License-Identifier: Apache-2.0
// ParseOpcode on HLO's names.
#include "xla_pass/hlo_view/opcode.h"

#include <gtest/gtest.h>

namespace jax_oneshot::hlo {
namespace {

TEST(ParseOpcode, KnowsHlosSpelling) {
  EXPECT_EQ(ParseOpcode("all-reduce"), Opcode::kAllReduce);
  EXPECT_EQ(ParseOpcode("round-nearest-even"), Opcode::kRoundNearestEven);
  EXPECT_EQ(ParseOpcode("opt-barrier"), Opcode::kOptimizationBarrier);
  EXPECT_EQ(ParseOpcode("clamp"), Opcode::kClamp);
}

TEST(ParseOpcode, TakesNearMissesForOther) {
  EXPECT_EQ(ParseOpcode("all_reduce"), Opcode::kOther);
  EXPECT_EQ(ParseOpcode("all-reduces"), Opcode::kOther);
  EXPECT_EQ(ParseOpcode("all-reduc"), Opcode::kOther);
  EXPECT_EQ(ParseOpcode("Add"), Opcode::kOther);
  EXPECT_EQ(ParseOpcode(""), Opcode::kOther);
}

}  // namespace
}  // namespace jax_oneshot::hlo
