// DecideRegions: which all-reduces become calls, which stay, and where one region leaves room for another.
#include "xla_pass/match/decide_regions.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/match/hand_growth.h"

namespace jax_oneshot {
namespace {

// The members of every region, and why what is kept is.
std::string Decided(const std::string& body, bool compiler_makes_reduce_scatters = false) {
  Growth growth(body);
  const Decisions decisions = growth.Decide(compiler_makes_reduce_scatters);
  std::string text;
  for (const Region& region : decisions.regions) text += "[" + growth.Names(region.members) + "]";
  for (const auto& [seed, why] : decisions.kept) text += " kept: " + why;
  return text;
}

// A sum over one axis of a mesh; then a norm of what lies in shards over the other.
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

}  // namespace
}  // namespace jax_oneshot
