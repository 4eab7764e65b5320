// SPDX-License-Identifier: Apache-2.0
// GrowRegion on sharded norms: through slices, row sums over the ranks and gathers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/regions/test_regions.h"

namespace jax_oneshot {
namespace {

// The norm of a residual stream with sharded weights: each rank normalizes its columns, then they are gathered.
constexpr char kShardedNorm[] = R"(
         shard_gamma = f32[64] parameter(5)
         none = u32[] constant(0)
         columns = u32[] constant(64)
         rank = u32[] replica-id()
         mine = u32[] multiply(rank, columns)
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         c = f32[8,64] dynamic-slice(ar, none, mine)
         square = f32[8,64] multiply(c, c)
         part = f32[8] reduce(square, zero), dimensions={1}, to_apply=add
         sum = f32[8] all-reduce(part), replica_groups={{0,1}}, to_apply=add
         scale = f32[8] rsqrt(sum)
         wide_scale = f32[8,64] broadcast(scale), dimensions={0}
         scaled = f32[8,64] multiply(c, wide_scale)
         wide_gamma = f32[8,64] broadcast(shard_gamma), dimensions={1}
         n = f32[8,64] multiply(scaled, wide_gamma)
         g = f32[8,128] all-gather(n), dimensions={1}, replica_groups={{0,1}}
         again = f32[8,128] all-gather(n), dimensions={1}, replica_groups={{0,1}}
         q = f32[8,32] dot(g, w)
         k = f32[8,32] dot(again, w)
)";

TEST(GrowRegion, GoesThroughTheCollectivesOfAShardedNorm) {
  Growth growth(kShardedNorm);
  const Region region = growth.Grow("ar");
  EXPECT_EQ(growth.Names(region.members), "ar c square part sum scale wide_scale scaled n g again");
  EXPECT_EQ(growth.Names(region.inner_all_reduces), "sum");
  EXPECT_EQ(growth.Names(region.all_gathers), "g again");
  EXPECT_EQ(growth.Operands(region), "d shard_gamma");
  EXPECT_EQ(region.program.inputs[1].role, Role::kGather);
  EXPECT_EQ(growth.Names(region.outputs), "g again");
  EXPECT_EQ(region.output_indices, (std::vector<int>{0, 0})) << "equal values share an output";
}

TEST(GrowRegion, GrowsANormOfShardsFromItsRowSums) {
  const std::string norm = R"(
         c = f32[8,64] parameter(5)
         square = f32[8,64] multiply(c, c)
         part = f32[8] reduce(square, zero), dimensions={1}, to_apply=add
         sum = f32[8] all-reduce(part), replica_groups={{0,1}}, to_apply=add
         wide_sum = f32[8,64] broadcast(sum), dimensions={0}
         n = f32[8,64] divide(c, wide_sum) )";
  Growth growth(norm + "g = f32[8,128] all-gather(n), dimensions={1}, replica_groups={{0,1}}  q = f32[8,32] dot(g, w)");
  const Region region = growth.Grow("sum");
  EXPECT_EQ(growth.Names(region.members), "square part sum wide_sum n g");
  EXPECT_EQ(growth.Operands(region), "c");
  EXPECT_EQ(region.extent.width, 128);
  Growth not_gathered(norm + "q = f32[8,32] dot(n, w)");
  EXPECT_EQ(not_gathered.Names(not_gathered.Grow("sum").inner_all_reduces), "") << "then it is a sum as any other";
  EXPECT_EQ(not_gathered.Operands(not_gathered.Grow("sum")).rfind("part", 0), 0u);
  growth.options().max_bytes.fill(8 * 64 * 4 - 1);
  EXPECT_EQ(growth.Operands(growth.Grow("sum")).rfind("part", 0), 0u) << "the columns are too large a message";
}

TEST(GrowRegion, TakesAGatherInFrontOfItIntoTheExchangeIfNobodyElseWantsIt) {
  const std::string body = R"(
         shard_gamma = f32[64] parameter(5)
         g = f32[128] all-gather(shard_gamma), dimensions={0}, replica_groups={{0,1}}
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         wide_gamma = f32[8,128] broadcast(g), dimensions={1}
         y = f32[8,128] multiply(ar, wide_gamma) )";
  Growth alone(body);
  const Region taken = alone.Grow("ar");
  EXPECT_EQ(alone.Operands(taken), "d shard_gamma");
  EXPECT_EQ(alone.Names(taken.all_gathers), "g");
  Growth wanted(body + "other = f32[128] custom(g)");
  const Region left = wanted.Grow("ar");
  EXPECT_EQ(wanted.Operands(left), "d g");
  EXPECT_EQ(wanted.Names(left.all_gathers), "");
  EXPECT_EQ(wanted.Names(left.members), "ar y");
}

}  // namespace
}  // namespace jax_oneshot
