// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/number_rewrites.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace jax_oneshot {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A region with these (site, element) seeds.
Region RegionOf(std::vector<std::pair<int, int>> seeds) {
  Region region;
  for (const auto& [site, element] : seeds) region.seeds.push_back({site, element});
  return region;
}

TEST(NumberRewrites, GivesRegionsOfDifferentAllReducesNumbersInTheirOrder) {
  EXPECT_THAT(NumberRewrites({RegionOf({{0, 0}}), RegionOf({{1, 0}, {2, 0}}), RegionOf({{3, 0}})}, 5),
              ElementsAre(5, 6, 7));
}

TEST(NumberRewrites, GivesRegionsOfOneAllReduceOneNumber) {
  EXPECT_THAT(NumberRewrites({RegionOf({{0, 0}}), RegionOf({{1, 0}}), RegionOf({{0, 1}})}, 1), ElementsAre(1, 2, 1));
}

TEST(NumberRewrites, FollowsSharedAllReducesFromRegionToRegion) {
  EXPECT_THAT(
      NumberRewrites({RegionOf({{0, 0}}), RegionOf({{1, 0}}), RegionOf({{2, 0}}), RegionOf({{0, 1}, {1, 1}})}, 1),
      ElementsAre(1, 1, 2, 1));
}

TEST(NumberRewrites, HasNothingToNumberWithoutRegions) { EXPECT_THAT(NumberRewrites({}, 1), IsEmpty()); }

}  // namespace
}  // namespace jax_oneshot
