// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/loop.h"

#include "xla_pass/rotate/test_loop.h"

namespace jax_oneshot {
namespace {

std::string RefusalOf(const std::string& text) {
  const TestGraph test(text);
  return Refusal(ReadLoop(test.graph(), test["loop"]));
}

TEST(Loop, NamesWhatTheNextAndTheFirstRoundReadInPlaceOfAnElement) {
  const TestGraph test(HandLoop());
  const Decision<Loop> loop = ReadLoop(test.graph(), test["loop"]);
  ASSERT_TRUE(loop) << Refusal(loop);
  const int x = ElementOf(test.graph(), *loop, test["x"]);
  EXPECT_EQ(x, 1);
  EXPECT_EQ(Next(test.graph(), *loop, x), test["y"]);
  EXPECT_EQ(First(test.graph(), *loop, x), test["x0"]);
  EXPECT_EQ(ElementOf(test.graph(), *loop, test["q"]), -1);
  EXPECT_FALSE(IsInvariant(test.graph(), *loop, x));
  EXPECT_TRUE(IsInvariant(test.graph(), *loop, 2));
}

TEST(Loop, TellsAnElementThatIsHandedOnElsewhereFromOneThatStays) {
  const TestGraph test(HandLoop({{"state = (s32[], f32[8,64], f32[3,64]) parameter(0)\n         i = s32[]",
                                  "state = (s32[], f32[8,64], f32[3,64]) parameter(0)\n         i = s32[]"},
                                 {"tuple(i1, y, gammas)", "tuple(i1, x, gammas)"}}));
  const Decision<Loop> loop = ReadLoop(test.graph(), test["loop"]);
  ASSERT_TRUE(loop) << Refusal(loop);
  EXPECT_TRUE(IsInvariant(test.graph(), *loop, 1));
}

TEST(Loop, RefusesAStateThatIsReadWhole) {
  const char* const kWhy = "the loop's state is not a tuple of which single elements are read";
  EXPECT_EQ(RefusalOf(HandLoop()), "");
  EXPECT_EQ(RefusalOf(HandLoop({{"ROOT out = f32[8,64] get-tuple-element(loop), index=1", ""}})), kWhy);
  EXPECT_EQ(RefusalOf(HandLoop({{"ROOT out", "b = (s32[], f32[8,64], f32[3,64]) opt-barrier(loop)\nROOT out"}})), kWhy);
  EXPECT_EQ(RefusalOf(HandLoop({{"first = (s32[], f32[8,64], f32[3,64]) tuple(start, x0, g0)",
                                 "first = (s32[], f32[8,64], f32[3,64]) parameter(2)"}})),
            kWhy);
}

TEST(Loop, RefusesABodyThatSomethingElseCallsToo) {
  EXPECT_NE(
      RefusalOf(HandLoop({{"ROOT out", "c = (s32[], f32[8,64], f32[3,64]) call(first), to_apply=body\nROOT out"}})),
      "");
}

}  // namespace
}  // namespace jax_oneshot
