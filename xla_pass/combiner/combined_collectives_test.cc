// SPDX-License-Identifier: Apache-2.0
// CombinedCollectives: what is combined, and what prevents it.
#include "xla_pass/combiner/combined_collectives.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// "ar 0, other 1": the collectives by name.
std::string Combined(const std::string& body, const CombineLimits& limits = {1 << 20, 100}) {
  const TestGraph test(std::string(kReducers) + R"(
    main { d = f32[8,128] parameter(0)
           e = f32[64] parameter(1)
           a = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add )" +
                       body + "}");
  StepBudget steps(100000);
  const std::vector<int> numbers = CombinedCollectives(test.graph(), test.entry(), limits, &steps);
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 0) continue;
    const Node node = test.graph().node(test.entry(), static_cast<int>(i));
    text += (text.empty() ? "" : ", ") + std::string(test.graph().at(node).name) + " " + std::to_string(numbers[i]);
  }
  return text;
}

constexpr char kSecond[] = "b = f32[64] all-reduce(e), replica_groups={{0,1}}, to_apply=add ";

TEST(CombinedCollectives, AreOneWhereNeitherWaitsForTheOther) { EXPECT_EQ(Combined(kSecond), "a 0, b 0"); }

TEST(CombinedCollectives, AreTwoWhereOneWaitsForTheOther) {
  EXPECT_EQ(Combined("n = f32[8,128] negate(a)  b = f32[8,128] all-reduce(n), replica_groups={{0,1}}, to_apply=add"),
            "a 0, b 1");
}

TEST(CombinedCollectives, AreTwoWithOtherGroupsOrAnotherReduction) {
  EXPECT_EQ(Combined("b = f32[64] all-reduce(e), replica_groups={{0,2}}, to_apply=add"), "a 0, b 1");
  EXPECT_EQ(Combined("b = f32[64] all-reduce(e), replica_groups={{0,1}}, to_apply=max"), "a 0, b 1");
  EXPECT_EQ(Combined("h = bf16[64] convert(e)  b = bf16[64] all-reduce(h), replica_groups={{0,1}}, to_apply=add"),
            "a 0, b 1");
}

TEST(CombinedCollectives, AreNoMoreThanFitIntoOne) {
  const std::string third = std::string(kSecond) + "c = f32[64] all-reduce(e), replica_groups={{0,1}}, to_apply=add";
  EXPECT_EQ(Combined(third, {1 << 20, 2}), "a 0, b 0, c 1");
  EXPECT_EQ(Combined(third, {8 * 128 * 4 + 64 * 4, 100}), "a 0, b 0, c 1");
  EXPECT_EQ(Combined(third, {8 * 128 * 4 - 1, 100}), "a 0, b 1, c 1") << "the first alone is too large";
}

TEST(CombinedCollectives, AreWhatTheyWereWhereNothingIsCombined) { EXPECT_EQ(Combined(kSecond, {}), "a 0, b 1"); }

TEST(CombinedCollectives, WaitForAllThatAnotherWasCombinedWith) {
  // c depends on b, which is combined with a; x depends on a only, and is combined with c.
  EXPECT_EQ(Combined(std::string(kSecond) + R"(
           nb = f32[64] negate(b)
           c = f32[64] all-reduce(nb), replica_groups={{0,1}}, to_apply=add
           na = f32[8,128] negate(a)
           x = f32[8,128] all-reduce(na), replica_groups={{0,1}}, to_apply=add)"),
            "a 0, b 0, c 1, x 1");
}

}  // namespace
}  // namespace jax_oneshot
