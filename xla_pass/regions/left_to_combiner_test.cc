// SPDX-License-Identifier: Apache-2.0
// FindLeftToCombiner: regions with more calls than the collectives they replace.
#include "xla_pass/regions/left_to_combiner.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/combiner/combined_collectives.h"
#include "xla_pass/regions/test_regions.h"

namespace jax_oneshot {
namespace {

// The regions left, by their first members: "ar (1 -> 2)".
std::string Left(const std::string& body, const CombineLimits& limits = {1 << 20, 100}) {
  Growth growth(body);
  const Decisions decisions = growth.Decide(/*compiler_makes_reduce_scatters=*/true);
  const std::vector<int> combined =
      CombinedCollectives(growth.test().graph(), growth.test().entry(), limits, &growth.steps());
  std::string text;
  for (const LeftRegion& left :
       FindLeftToCombiner(growth.test().graph(), growth.sites(), decisions.regions, combined)) {
    text += growth.Names(std::vector<Node>{decisions.regions[left.region].members[0]}) + " (" +
            std::to_string(left.collectives) + " -> " + std::to_string(left.calls) + ") ";
  }
  return text;
}

constexpr char kFirst[] = R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         y = f32[8,128] add(ar, x)
)";

TEST(FindLeftToCombiner, LeavesCallsThatXlaMakesOneCollectiveOf) {
  EXPECT_EQ(Left(kFirst + std::string(R"(
         second = f32[8,128] all-reduce(e), replica_groups={{0,1}}, to_apply=add
         z = f32[8,128] multiply(second, x))")),
            "ar (1 -> 2) second (1 -> 2) ");
}

TEST(FindLeftToCombiner, LeavesCallsOfTheValuesOfOneAllReduceWhereNothingElseIsCombined) {
  const std::string unlike = R"(
         g = f32[64] parameter(5)
         both = (f32[8,128], f32[64]) all-reduce(d, g), replica_groups={{0,1}}, to_apply=add
         first = f32[8,128] get-tuple-element(both), index=0
         second = f32[64] get-tuple-element(both), index=1
         n = f32[64] negate(second) )";
  const CombineLimits nothing;
  EXPECT_EQ(Left(unlike + "y = f32[8,128] add(first, x)", nothing), "first (1 -> 2) second (1 -> 2) ");
  EXPECT_EQ(Left(unlike + R"(
         other = f32[8,128] all-reduce(e), replica_groups={{0,1}}, to_apply=add
         y = f32[8,128] add(first, other))",
                 nothing),
            "")
      << "two calls in place of two all-reduces";
}

TEST(FindLeftToCombiner, LeavesNoneOfThoseThatWaitForOneAnother) {
  EXPECT_EQ(Left(kFirst + std::string(R"(
         c = f32[8,128] custom(y)
         second = f32[8,128] all-reduce(c), replica_groups={{0,1}}, to_apply=add
         z = f32[8,128] add(second, x))")),
            "");
}

TEST(FindLeftToCombiner, LeavesACallBesideACombinedCollectiveThatStays) {
  EXPECT_EQ(Left(kFirst + std::string(R"(
         i = s32[8,128] parameter(5)
         f = f32[1,1,8,128] parameter(6)
         second = (f32[8,128], f32[8,128]) all-reduce(d, e), replica_groups={{0,1}}, to_apply=add
         whole = f32[8,128] custom(second))")),
            "")
      << "of several values: XLA combines it with nothing";
}

TEST(FindLeftToCombiner, LeavesNoCallThatTakesMoreCollectivesThanItIs) {
  EXPECT_EQ(Left(kFirst + std::string(R"(
         second = f32[8,128] all-reduce(e), replica_groups={{0,1}}, to_apply=add
         z = f32[8,128] add(second, y))")),
            "")
      << "both are summed in one call";
}

}  // namespace
}  // namespace jax_oneshot
