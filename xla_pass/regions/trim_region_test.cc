// SPDX-License-Identifier: Apache-2.0
// TrimRegion: what is dropped, what is returned, and what stays both inside and outside.
#include "xla_pass/regions/trim_region.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

// "members | outputs | also kept", and the value at which transposed columns end the region, for the region of %ar =
// bf16[8,128] all-reduce(%d) and these units.
std::string Trimmed(const std::string& body, const std::vector<std::string>& units, bool compiler_fuses_later = false) {
  const TestGraph test(std::string(kReducers) + R"(
    converts { p = bf16[8,128] parameter(0)
               wider = f32[8,128] convert(p) }
    two { p = bf16[8,128] parameter(0)
          q = bf16[8,128] negate(p)
          r = bf16[8,128] abs(p)
          both = (bf16[8,128], bf16[8,128]) tuple(q, r) }
    main { d = bf16[8,128] parameter(0)
           cos = bf16[8,128] parameter(1)
           w = bf16[128,32] parameter(2)
           zero = bf16[] constant(0)
           ar = bf16[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add )" +
                       body + "}");
  const hlo::ReplicaGroups groups = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  const auto never = [](Node) { return false; };
  StepBudget steps(10000);
  DependencyOrder order(test.graph(), test.entry(), &steps);
  RowTranslator translator(test.graph(), {test.entry(), {8, 128}, &groups, never, never, &steps});
  translator.AddAllReduce(Reducer::kSum, test["d"], {test["ar"]}, DType::kBF16);
  NodeSet members = {test["ar"]};
  for (const std::string& unit : units) {
    const Decision<void> done = translator.TranslateUnit(test[unit]);
    if (!done) return unit + ": " + done.error().text;
    members.Insert(test[unit]);
  }
  const TrimmedRegion trimmed =
      TrimRegion(test.graph(), translator, order, members, {test["ar"]}, compiler_fuses_later);
  const std::string ends =
      trimmed.transposed == kNoNode ? "" : " | ends before " + test.Names(std::vector<Node>{trimmed.transposed});
  return test.Names(trimmed.members) + " | " + test.Names(trimmed.outputs) + " | " + test.Names(trimmed.also_kept) +
         ends;
}

TEST(TrimRegion, ReturnsWhatIsReadOutside) {
  const std::string body = "y = bf16[8,128] add(ar, cos)  n = bf16[8,128] negate(y)  q = bf16[8,32] dot(n, w)  ";
  EXPECT_EQ(Trimmed(body, {"y", "n"}), "ar y n | n | ");
  EXPECT_EQ(Trimmed(body + "k = bf16[8,32] dot(y, w)", {"y", "n"}), "ar y n | y n | ");
}

TEST(TrimRegion, LeavesAWideningConvertOutside) {
  EXPECT_EQ(Trimmed(R"(y = bf16[8,128] negate(ar)
                       c = f32[8,128] convert(y)
                       q = f32[8,32] dot(c, w))",
                    {"y", "c"}),
            "ar y | y | ")
      << "a narrower output";
  EXPECT_EQ(Trimmed(R"(y = f32[8,128] convert(ar)
                       c = bf16[8,128] convert(y)
                       q = bf16[8,32] dot(c, w))",
                    {"y", "c"}),
            "ar y c | c | ")
      << "one that rounds is narrower itself";
  EXPECT_EQ(Trimmed("c = f32[8,128] fusion(ar), calls=converts  q = f32[8,32] dot(c, w)", {"c"}), "ar | ar | ")
      << "in a fusion too";
}

TEST(TrimRegion, KeepsInBothPlacesWhatIsFreeAndReadInBoth) {
  EXPECT_EQ(Trimmed(R"(c = f32[8,128] convert(ar)
                       n = f32[8,128] negate(c)
                       q = f32[8,32] dot(c, n))",
                    {"c", "n"}),
            "ar c n | ar n | c");
}

TEST(TrimRegion, LetsGoOfAPartialRowSumThatIsReadOutside) {
  const std::string body = R"(
    x = bf16[8,128] negate(ar)
    part = bf16[8,4] reduce-window(x, zero), window={size=1x32 stride=1x32}, to_apply=add
    m = bf16[8] reduce(part, zero), dimensions={1}, to_apply=add
    n = bf16[8] rsqrt(m) )";
  EXPECT_EQ(Trimmed(body, {"x", "part", "m", "n"}), "ar x part m n | n | ");
  EXPECT_EQ(Trimmed(body + "other = bf16[8,4] tanh(part)", {"x", "part", "m", "n"}), "ar x | x | ")
      << "it cannot be returned, so all behind it goes";
}

// Both t and m have columns first.
TEST(TrimRegion, LetsGoOfColumnsThatAreReadOutside) {
  const std::string body = R"(
    y = bf16[8,128] negate(ar)
    t = bf16[128,8] transpose(y), dimensions={1,0}
    m = bf16[128,8] abs(t)
    n = bf16[8,128] transpose(m), dimensions={1,0}
    z = bf16[8,128] tanh(n)  )";
  const std::vector<std::string> units = {"y", "t", "m", "n", "z"};
  EXPECT_EQ(Trimmed(body, units), "ar y t m n z | z | ");
  EXPECT_EQ(Trimmed(body + "other = bf16[32,8] dot(m, w)", units), "ar y | y |  | ends before t")
      << "m cannot be returned, so all behind it goes, and t gains nothing alone";
  EXPECT_EQ(Trimmed(body + "other = bf16[32,8] dot(t, w)", units), "ar y t m n z | y z | t")
      << "as free to make as a reshape";
  EXPECT_EQ(Trimmed(body + "other = bf16[8,32] dot(n, w)", units), "ar y t m n z | n z | ");
}

TEST(TrimRegion, LeavesToTheCompilerWhatItFusesForFree) {
  const std::string body = "y = bf16[8,128] negate(ar)  m = bf16[8,128] multiply(y, cos)  q = bf16[8,32] dot(y, w)  ";
  const std::string rotated = body + "r = bf16[8,128] add(m, cos)";
  const std::string moved = body + "t = bf16[128,8] transpose(m), dimensions={1,0}  r = bf16[128,8] add(t, t)";
  EXPECT_EQ(Trimmed(rotated, {"y", "m"}, /*compiler_fuses_later=*/true), "ar y | y | ");
  EXPECT_EQ(Trimmed(moved, {"y", "m"}, true), "ar y | y | ") << "a move passes the question on";
  EXPECT_EQ(Trimmed(rotated, {"y", "m"}, false), "ar y m | y m | ") << "on CPU nothing is fused later";
}

TEST(TrimRegion, TakesWhatTheCompilerCouldNotFuseForFree) {
  const std::string product = "y = bf16[8,128] negate(ar)  m = bf16[8,128] multiply(y, cos)  ";
  const std::string body = product + "q = bf16[8,32] dot(y, w)  ";
  EXPECT_EQ(Trimmed(body + "r = bf16[8,32] dot(m, w)", {"y", "m"}, true), "ar y m | y m | ");
  EXPECT_EQ(Trimmed(body + "z = bf16[8,128] custom(m)  r = bf16[8,128] add(m, cos)", {"y", "m"}, true),
            "ar y m | y m | ")
      << "one of its readers cannot take it in";
  EXPECT_EQ(Trimmed(product + "r = bf16[8,128] add(m, cos)", {"y", "m"}, true), "ar y m | m | ")
      << "%y would have to be returned in its stead";
}

TEST(TrimRegion, LetsGoOfAFusionOfSeveralThatIsReadWhole) {
  const std::string body = "t = (bf16[8,128], bf16[8,128]) fusion(ar), calls=two  ";
  const std::string elements =
      "a = bf16[8,128] get-tuple-element(t), index=0  b = bf16[8,128] get-tuple-element(t), index=1  "
      "q = bf16[8,32] dot(a, b)";
  EXPECT_EQ(Trimmed(body + elements, {"t", "a", "b"}), "ar t a b | a b | ");
  EXPECT_EQ(Trimmed(body + "whole = (bf16[8,128], bf16[8,128]) opt-barrier(t)", {"t"}), "ar | ar | ");
}

TEST(TrimRegion, NeverLetsGoOfASeedAndReturnsSomething) {
  EXPECT_EQ(Trimmed("", {}), "ar | ar | ");
  EXPECT_EQ(Trimmed("dead = bf16[8,128] negate(ar)  ROOT r = bf16[8,128] abs(cos)", {"dead"}), "ar dead | dead | ");
}

// A region after another all-reduce has been accepted, and its call reads %ar: it looked through %scale and %wide,
// whose reader it absorbed.
TEST(TrimRegion, CountsWhatAnAcceptedCallReadsAndNotWhatItsMembersDidRead) {
  const TestGraph test(std::string(kReducers) + R"(
    main { d = bf16[8,128] parameter(0)
           x = bf16[8,128] parameter(1)
           ar = bf16[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
           scale = bf16[8,128] negate(ar)
           other = bf16[8,128] all-reduce(x), replica_groups={{0,1}}, to_apply=add
           y = bf16[8,128] multiply(other, scale)
           z = bf16[8,128] custom(y) })");
  const hlo::ReplicaGroups groups = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  const auto never = [](Node) { return false; };
  StepBudget steps(10000);
  DependencyOrder order(test.graph(), test.entry(), &steps);
  ASSERT_TRUE(order.Contract({test["other"], test["y"]}, {test["x"], test["ar"]}));
  RowTranslator translator(test.graph(), {test.entry(), {8, 128}, &groups, never, never, &steps});
  translator.AddAllReduce(Reducer::kSum, test["d"], {test["ar"]}, DType::kBF16);
  ASSERT_TRUE(translator.TranslateUnit(test["scale"]));
  const TrimmedRegion trimmed = TrimRegion(test.graph(), translator, order, {test["ar"], test["scale"]}, {test["ar"]},
                                           /*compiler_fuses_later=*/false);
  EXPECT_EQ(test.Names(trimmed.members), "ar") << "nobody reads %scale any more";
  EXPECT_EQ(test.Names(trimmed.outputs), "ar");
}

}  // namespace
}  // namespace jax_oneshot
