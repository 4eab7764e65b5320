// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/readers_in_time.h"

#include "xla_pass/rotate/test_loop.h"

namespace jax_oneshot {
namespace {

bool AreInTime(const std::vector<std::pair<std::string, std::string>>& changes) {
  const TestGraph test(HandLoop(changes));
  const Decision<Loop> loop = ReadLoop(test.graph(), test["loop"]);
  EXPECT_TRUE(loop) << Refusal(loop);
  const MovedPart part = FindMovedPart(test.graph(), *loop, [](Node) { return true; });
  EXPECT_EQ(test.Names(part.values), "n");
  return ReadersAreInTime(test.graph(), *loop, part, test["n"]);
}

TEST(ReadersInTime, AreThoseThatTheLastAllReduceWaitsFor) { EXPECT_TRUE(AreInTime({})); }

TEST(ReadersInTime, AreNotThoseThatNothingWaitsFor) {
  EXPECT_FALSE(AreInTime({{"d = f32[8,64] dot(n, n)", "d = f32[8,64] dot(n, n)\ne = f32[8,64] dot(n, n)"}}));
}

TEST(ReadersInTime, AreNotThoseThatRunBehindTheAllReduce) {
  EXPECT_FALSE(AreInTime({{"y = f32[8,64] add(x, ar)", "e = f32[8,64] dot(n, n)\ny = f32[8,64] add(e, ar)"}}));
}

TEST(ReadersInTime, AreNotThoseThatHandTheMemoryOn) {
  EXPECT_FALSE(AreInTime({{"d = f32[8,64] dot(n, n)", "e = f32[8,64] opt-barrier(n)\nd = f32[8,64] dot(e, e)"}}));
  EXPECT_FALSE(AreInTime(
      {{"d = f32[8,64] dot(n, n)", "e = f32[8,64] dynamic-update-slice(n, row, i, origin)\nd = f32[8,64] dot(e, e)"}}));
}

TEST(ReadersInTime, AreNotBodiesThatReturnTheValue) {
  EXPECT_FALSE(AreInTime({{"state = (s32[], f32[8,64], f32[3,64]) parameter(0)\n         i = s32[]",
                           "state = (s32[], f32[8,64], f32[3,64]) parameter(0)\n         i = s32[]"},
                          {"y = f32[8,64] add(x, ar)", "e = f32[8,64] custom-call(n)\ny = f32[8,64] add(x, ar)"}}));
}

}  // namespace
}  // namespace jax_oneshot
