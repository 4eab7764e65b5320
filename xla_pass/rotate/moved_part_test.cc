// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/moved_part.h"

#include "xla_pass/rotate/test_loop.h"

namespace jax_oneshot {
namespace {

// "values; members"
std::string PartOf(const std::string& text, const std::function<bool(std::string_view)>& may_take = nullptr) {
  const TestGraph test(text);
  const Decision<Loop> loop = ReadLoop(test.graph(), test["loop"]);
  EXPECT_TRUE(loop) << Refusal(loop);
  if (!loop) return "";
  const MovedPart part =
      FindMovedPart(test.graph(), *loop, [&](Node node) { return !may_take || may_take(test.graph().at(node).name); });
  return test.Names(part.values) + "; " + test.Names(part.members);
}

TEST(MovedPart, IsTheNormOfAnElementThatASumChangedWithItsSliceOfAStack) {
  EXPECT_EQ(PartOf(HandLoop()), "n; zero origin q s sb m row g gb n");
}

TEST(MovedPart, EndsBeforeWhatIsNotPure) {
  EXPECT_EQ(PartOf(HandLoop({{"n = f32[8,64] multiply(m, gb)", "n = f32[8,64] custom-call(m, gb)"}})),
            "m; zero q s sb m");
  EXPECT_EQ(
      PartOf(HandLoop({{"m = f32[8,64] multiply(x, sb)", "m = f32[8,64] multiply(x, sb), control-predecessors={i1}"}})),
      "s; zero q s");
}

TEST(MovedPart, HandsOnWhatIsReadWhereItIsButNotWhatIsCheapToComputeAgain) {
  // The broadcast of the row sums is recomputed from them, the square from the state element.
  EXPECT_EQ(PartOf(HandLoop({{"d = f32[8,64] dot(n, n)", "d = f32[8,64] dot(sb, q)"}})), "s; zero q s");
  EXPECT_EQ(PartOf(HandLoop({{"d = f32[8,64] dot(n, n)", "d = f32[8,64] dot(n, s)"}})),
            "s n; zero origin q s sb m row g gb n");
}

TEST(MovedPart, NeedsASumOverRanksBehindTheElement) {
  EXPECT_EQ(PartOf(HandLoop({{"tuple(i1, y, gammas)", "tuple(i1, d, gammas)"}})), "; ");
  EXPECT_EQ(PartOf(HandLoop({{"tuple(i1, y, gammas)", "tuple(i1, x, gammas)"}})), "; ");
}

TEST(MovedPart, NeedsAReduction) {
  EXPECT_EQ(PartOf(HandLoop({{"s = f32[8] reduce(q, zero), dimensions={1}, to_apply=add", "s = f32[8] constant(1)"}})),
            "; ");
}

TEST(MovedPart, ReadsNothingThatIsComputedFromMoreThanTheStateAndSmallThings) {
  // Neither a weight matrix nor the result of a dot is an operand of a norm.
  EXPECT_EQ(PartOf(HandLoop({{"row = f32[1,64] dynamic-slice(gammas, i, origin)",
                              "e = f32[3,64] dot(gammas, gammas)\nrow = f32[1,64] dynamic-slice(e, i, origin)"}})),
            "m; zero q s sb m");
}

TEST(MovedPart, EndsBeforeAReducerThatCallsSomething) {
  // A copy of the reducer would include everything that it calls.
  const std::string deep =
      "deep { da = f32[] parameter(0)\ndb = f32[] parameter(1)\n"
      "dr = f32[] call(da, db), to_apply=add }\n  body {";
  const std::string reduce = "s = f32[8] reduce(q, zero), dimensions={1}, to_apply=";
  EXPECT_EQ(PartOf(HandLoop({{"body {", deep}})), "n; zero origin q s sb m row g gb n");
  EXPECT_EQ(PartOf(HandLoop({{"body {", deep}, {reduce + "add", reduce + "deep"}})), "; ");
}

TEST(MovedPart, TakesOnlyWhatItMay) {
  EXPECT_EQ(PartOf(HandLoop(), [](std::string_view name) { return name == "q" || name == "s"; }), "s; zero q s");
  EXPECT_EQ(PartOf(HandLoop(), [](std::string_view name) { return name == "q"; }), "; ");
}

TEST(MovedPart, DoublesNoCollectiveThatOthersReadToo) {
  const std::string gathered =
      "h = f32[1,32] dynamic-slice(gammas, i, origin), dynamic_slice_sizes={1,32}\n"
      "row = f32[1,64] all-gather(h), replica_groups={{0,1}}, dimensions={1}";
  const std::string slice = "row = f32[1,64] dynamic-slice(gammas, i, origin), dynamic_slice_sizes={1,64}";
  EXPECT_EQ(PartOf(HandLoop({{slice, gathered}})), "n; zero origin q s sb m h row g gb n");
  EXPECT_EQ(PartOf(HandLoop({{slice, gathered}, {"d = f32[8,64] dot(n, n)", "d = f32[8,64] dot(n, row)"}})), "; ");
}

}  // namespace
}  // namespace jax_oneshot
