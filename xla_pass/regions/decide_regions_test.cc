// SPDX-License-Identifier: Apache-2.0
// DecideRegions: which all-reduces become calls, which are kept, and when one region yields to another.
#include "xla_pass/regions/decide_regions.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/regions/test_regions.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

// The members of every region, and the reason for each all-reduce that is kept.
std::string Decided(const std::string& body, bool compiler_makes_reduce_scatters = false) {
  Growth growth(body);
  const Decisions decisions = growth.Decide(compiler_makes_reduce_scatters);
  std::string text;
  for (const Region& region : decisions.regions) text += "[" + growth.Names(region.members) + "]";
  for (const auto& [seed, why] : decisions.kept) text += " kept: " + why.text;
  return text;
}

// A sum over one axis of a mesh, then a norm sharded over the other.
std::string TwoAxes(const std::string& behind_the_sum) {
  return R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1},{2,3}}, to_apply=add
         h = f32[8,128] add(ar, x)
         square = f32[8,128] multiply(h, h)
         part = f32[8] reduce(square, zero), dimensions={1}, to_apply=add
         total = f32[8] all-reduce(part), replica_groups={{0,2},{1,3}}, to_apply=add
         r = f32[8] rsqrt(total)
         rb = f32[8,128] broadcast(r), dimensions={0}
         n = f32[8,128] multiply(h, rb)
)" + behind_the_sum;
}

constexpr char kGather[] = R"(
         whole = f32[8,256] all-gather(n), replica_groups={{0,2},{1,3}}, dimensions={1}
         q = f32[8,32] custom(whole))";

TEST(DecideRegions, LeavesTheRowSumToTheNormThatOtherRanksShareOut) {
  EXPECT_EQ(Decided(TwoAxes(kGather)), "[square part total r rb n whole][ar h]");
}

TEST(DecideRegions, TakesTheRowSumWhereNoGatherMakesItANorm) {
  EXPECT_EQ(Decided(TwoAxes("q = f32[8,32] custom(n)")), "[ar h square part][total r]");
}

TEST(DecideRegions, TakesTheRowSumWhereSomebodyElseReadsItToo) {
  EXPECT_EQ(Decided(TwoAxes(kGather + std::string("  other = f32[8] custom(part)"))).rfind("[ar h square part]", 0),
            0u);
}

TEST(DecideRegions, GrowsOneRegionAfterTheOther) {
  EXPECT_EQ(Decided(R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         y = f32[8,128] add(ar, x)
         c = f32[8,128] custom(y)
         next = f32[8,128] all-reduce(c), replica_groups={{0,1}}, to_apply=add
         z = f32[8,128] add(next, y))"),
            "[ar y][next z]");
}

TEST(DecideRegions, KeepsWhatTheCompilerMakesAReduceScatterOf) {
  const std::string body = R"(
         rank = u32[] replica-id()
         signed = s32[] convert(rank)
         columns = s32[] constant(64)
         at = s32[] multiply(signed, columns)
         origin = s32[] constant(0)
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         part = f32[8,64] dynamic-slice(ar, origin, at), dynamic_slice_sizes={8,64}
         q = f32[8,32] custom(part))";
  EXPECT_EQ(Decided(body, /*compiler_makes_reduce_scatters=*/true).rfind(" kept: its only use is %part, a slice", 0),
            0u);
  EXPECT_EQ(Decided(body), "[ar part]");
}

// The region computes %wide for the row sum, and a copy of it stays outside. Reduced from a module on which the pass
// did not terminate.
TEST(DecideRegions, EndsWhereAMemberReadsACopyThatStaysOutside) {
  EXPECT_EQ(Decided(R"(
         h = bf16[8,128] parameter(5)
         ar = bf16[8,128] all-reduce(h), replica_groups={{0,1}}, to_apply=add
         wide = f32[8,128] convert(ar)
         q = f32[8,128] custom(wide)
         sum = f32[8] reduce(wide, zero), dimensions={1}, to_apply=add
         narrow = bf16[8] convert(sum)
         distribution = bf16[8,128] broadcast(narrow), dimensions={0}
         apart = bf16[8,128] subtract(ar, distribution)
         z = bf16[8,128] custom(apart))"),
            "[ar sum narrow distribution apart]");
}

TEST(DecideRegions, ReturnsWhatAnotherRegionReadsByLookingThrough) {
  Growth growth(R"(
         part = f32[1,128] parameter(5)
         scale = f32[1,128] all-reduce(part), replica_groups={{0,1}}, to_apply=add
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         flat = f32[128] reshape(scale)
         one = f32[] constant(1)
         ones = f32[128] broadcast(one), dimensions={}
         plus = f32[128] add(flat, ones)
         distribution = f32[8,128] broadcast(plus), dimensions={1}
         y = f32[8,128] multiply(ar, distribution)
         q = f32[8,32] custom(y))");
  const Region second = growth.Grow("ar");
  EXPECT_EQ(growth.Operands(second), "d scale");
  ASSERT_TRUE(growth.Accept(second));
  const Region first = growth.Grow("scale");
  EXPECT_EQ(growth.Names(first.members), "scale");
  EXPECT_EQ(growth.Names(first.outputs), "scale");
}

TEST(DecideRegions, ReadsEveryValueOfAnAllReduceOrNone) {
  const std::string body = R"(
         half = f32[8,64] parameter(5)
         both = (f32[8,128]LAYOUT, f32[8,64]) all-reduce(d, half), replica_groups={{0,1}}, to_apply=add
         one = f32[8,128]LAYOUT get-tuple-element(both), index=0
         two = f32[8,64] get-tuple-element(both), index=1
         q = f32[8,32] custom(one)
         z = f32[8,64] negate(two)
         next = f32[8,128] all-reduce(e), replica_groups={{0,1}}, to_apply=add
         n = f32[8,128] negate(next))";
  const auto decided = [&](const std::string& layout) {
    std::string text = body;
    for (size_t at; (at = text.find("LAYOUT")) != std::string::npos;) text.replace(at, 6, layout);
    return Decided(text);
  };
  EXPECT_EQ(decided("{1,0}"), "[one][two z][next n]");
  EXPECT_EQ(decided("{0,1}"), "[next n] kept: the layout of f32[8,128] is not row-major");
}

TEST(DecideRegions, TakesValuesOfOneExtentInAnyLayout) {
  EXPECT_EQ(Decided(R"(
         both = (f32[8,128]{0,1}, f32[8,128]) all-reduce(d, e), replica_groups={{0,1}}, to_apply=add
         one = f32[8,128]{0,1} get-tuple-element(both), index=0
         two = f32[8,128] get-tuple-element(both), index=1
         q = f32[8,32] custom(one)
         z = f32[8,128] negate(two))"),
            "[one two z]");
}

TEST(DecideRegions, KeepsTheAllReduceOfARegionThatGoesWrong) {
  Growth growth(R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         y = f32[8,128] add(ar, x)
         other = f32[8,128] all-reduce(e), replica_groups={{0,2}}, to_apply=add
         z = f32[8,128] add(other, x))");
  // CheckSite never makes such a site: sums are of floats.
  SiteTable sites;
  for (int s = 0; s < growth.sites().size(); ++s) {
    Site site = growth.sites().site(s);
    if (s == 0) site.elements[0].dtype = DType::kPred;
    sites.Add(std::move(site));
  }
  growth.sites() = std::move(sites);
  const Decisions decisions = growth.Decide(false);
  ASSERT_EQ(decisions.regions.size(), 1u);
  EXPECT_EQ(growth.Names(decisions.regions[0].members), "other z");
  ASSERT_EQ(decisions.kept.size(), 1u);
  EXPECT_EQ(decisions.kept[0].second.id, ReasonId::kPassFailed) << decisions.kept[0].second.text;
}

TEST(DecideRegions, KeepsWhatIsLeftOnceTheStepsAreSpent) {
  const std::string body = R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         y = f32[8,128] add(ar, x)
         c = f32[8,128] custom(y)
         next = f32[8,128] all-reduce(c), replica_groups={{0,1}}, to_apply=add
         z = f32[8,128] add(next, y))";
  bool first_only = false;
  for (int64_t left = 0; left < 200; ++left) {
    Growth growth(body);
    (void)growth.steps().Spend(growth.steps().left() - left);
    const Decisions decisions = growth.Decide(false);
    EXPECT_EQ(decisions.regions.size() + decisions.kept.size(), 2u) << left;
    for (const auto& [seed, why] : decisions.kept) {
      EXPECT_EQ(why.text, "the pass has used up its 1048576 steps for this module; the rest is left unchanged");
    }
    first_only |= decisions.regions.size() == 1 && growth.Names(decisions.regions[0].members) == "ar y";
  }
  EXPECT_TRUE(first_only);
}

TEST(WithoutRegion, TakesAwayWhateverSumsAnotherValueOfAnAllReduceThatGoes) {
  std::vector<Region> regions(4);
  regions[0].seeds = {{0, 0}};
  regions[1].seeds = {{0, 1}, {1, 0}};
  regions[2].seeds = {{1, 1}};
  regions[3].seeds = {{2, 0}};
  std::vector<std::pair<SiteRef, Reason>> kept;
  const std::vector<Region> left = WithoutRegion(regions, 0, MakeReason<ReasonId::kLoneRank>(), &kept);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].seeds[0].site, 2);
  EXPECT_EQ(kept.size(), 4u);
}

}  // namespace
}  // namespace jax_oneshot
