// SPDX-License-Identifier: Apache-2.0
// RandomRowProgram: valid, reproducible, and covers everything that other tests rely on.
#include "row_program/random_row_program.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "row_program/ops.h"
#include "row_program/text.h"
#include "row_program/validate.h"

namespace jax_oneshot {
namespace {

constexpr uint32_t kSeeds = 500;

TEST(RandomRowProgram, IsValidForEverySeed) {
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    const Result<void> plain = ValidateRowProgram(RandomRowProgram(seed));
    EXPECT_TRUE(plain) << seed << ": " << plain.error();
    const Result<void> sharded = ValidateRowProgram(RandomShardedRowProgram(seed));
    EXPECT_TRUE(sharded) << seed << ": " << sharded.error();
  }
}

TEST(RandomRowProgram, IsTheSameForTheSameSeedEverywhere) {
  EXPECT_EQ(PrintRowProgram(RandomRowProgram(3)), PrintRowProgram(RandomRowProgram(3)));
  EXPECT_NE(PrintRowProgram(RandomRowProgram(3)), PrintRowProgram(RandomRowProgram(4)));
}

TEST(RandomRowProgram, HoldsEveryOperationDtypeKindAndRoleSoonerOrLater) {
  std::set<Op> ops;
  std::set<DType> dtypes;
  std::set<Kind> kinds;
  std::set<Role> roles;
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    for (const RowProgram& program : {RandomRowProgram(seed), RandomShardedRowProgram(seed)}) {
      for (const Input& input : program.inputs) roles.insert(input.role);
      for (const Statement& statement : program.statements) {
        ops.insert(statement.op);
        dtypes.insert(statement.dtype);
        kinds.insert(statement.kind);
      }
    }
  }
  EXPECT_EQ(ops.size(), static_cast<size_t>(kOpCount));
  EXPECT_EQ(dtypes.size(), static_cast<size_t>(kDTypeCount));
  EXPECT_EQ(kinds.size(), 4u);
  EXPECT_EQ(roles.size(), 5u);
}

TEST(RandomRowProgram, HasShardsOnlyWhereAskedFor) {
  int gathered = 0, shards = 0, without_a_sum = 0;
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    for (const Input& input : RandomRowProgram(seed).inputs) EXPECT_NE(input.role, Role::kGather) << seed;
    for (const Output& output : RandomRowProgram(seed).outputs) EXPECT_FALSE(output.shard) << seed;
    const RowProgram sharded = RandomShardedRowProgram(seed);
    for (const Output& output : sharded.outputs) shards += output.shard ? 1 : 0;
    bool sums = false;
    for (const Input& input : sharded.inputs) {
      gathered += input.role == Role::kGather ? 1 : 0;
      sums |= IsCombined(input.role);
    }
    without_a_sum += sums ? 0 : 1;
  }
  EXPECT_GE(gathered, static_cast<int>(kSeeds)) << "one at least in each";
  EXPECT_GT(shards, 0);
  EXPECT_GT(without_a_sum, 0);
}

}  // namespace
}  // namespace jax_oneshot
