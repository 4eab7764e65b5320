// SPDX-License-Identifier: Apache-2.0
// RegionSeed: which sums start a region, join it and are dropped again. (grow_region_test.cc grows regions from them.)
#include "xla_pass/regions/region_seed.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/regions/test_regions.h"

namespace jax_oneshot {
namespace {

constexpr char kTwoSums[] = R"(
         a = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         b = f32[8,128] all-reduce(x), replica_groups={{0,1}}, to_apply=add
         r = f32[8,128] negate(b)
         y = f32[8,128] add(a, r)
)";

SumsSeed SeedOf(Growth* growth, const std::string& all_reduce) {
  return SumsSeed(growth->test().graph(), growth->sites(), growth->order(), nullptr,
                  growth->sites().Find(growth->test()[all_reduce]));
}

TEST(SumsSeed, TakesInASumBehindAnOperandAndOnlyOnce) {
  Growth growth(kTwoSums);
  SumsSeed seed = SeedOf(&growth, "a");
  EXPECT_EQ(growth.Names(seed.members().keys()), "a");
  EXPECT_TRUE(seed.Join(growth.test()["r"], seed.members()));
  EXPECT_EQ(growth.Names(seed.members().keys()), "a b");
  EXPECT_FALSE(seed.Join(growth.test()["r"], seed.members()));
}

TEST(SumsSeed, DoesNotTakeInAgainASumThatItDropped) {
  Growth growth(kTwoSums);
  SumsSeed seed = SeedOf(&growth, "a");
  ASSERT_TRUE(seed.Join(growth.test()["r"], seed.members()));
  ProgramBuilder apart;
  for (int sum = 0; sum < 2; ++sum) apart.AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32);
  EXPECT_TRUE(seed.DropUseless(apart.program()));
  EXPECT_EQ(growth.Names(seed.members().keys()), "a");
  EXPECT_FALSE(seed.Join(growth.test()["r"], seed.members()));
  EXPECT_FALSE(seed.DropUseless(apart.program())) << "the given sum stays";
}

TEST(ShardSeed, StartsAtTheShardWhichStaysOutside) {
  Growth growth(kTwoSums);
  ShardSeed seed({growth.test()["x"], 1, {8, 256}}, {growth.sites().Find(growth.test()["b"])});
  EXPECT_EQ(growth.Names(seed.values().keys()), "x");
  EXPECT_EQ(seed.members().size(), 0U);
  EXPECT_EQ(seed.extent().width, 256);
  EXPECT_FALSE(seed.Join(growth.test()["r"], {}));
}

}  // namespace
}  // namespace jax_oneshot
