// SPDX-License-Identifier: Apache-2.0
// ReadsSlice and IsWrittenIntoSlice: slices next to a call, also through moves.
#include "xla_pass/rewrite/slices_apart.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

bool Reads(const std::string& body) {
  const TestGraph test("main { stack = f32[4,64] parameter(0)  i = s32[] parameter(1) " + body + "}");
  return ReadsSlice(test.graph(), test["g"]);
}

TEST(ReadsSlice, SeesASliceAtOnceAndBehindMoves) {
  EXPECT_TRUE(Reads("g = f32[1,64] dynamic-slice(stack, i, i)"));
  EXPECT_TRUE(Reads("g = f32[1,64] slice(stack)"));
  EXPECT_TRUE(Reads("s = f32[1,64] dynamic-slice(stack, i, i)  r = f32[64] reshape(s)  g = f32[64] copy(r)"));
}

TEST(ReadsSlice, SeesNoneBehindWork) {
  EXPECT_FALSE(Reads("s = f32[1,64] dynamic-slice(stack, i, i)  g = f32[1,64] negate(s)"));
  EXPECT_FALSE(Reads("g = f32[256] reshape(stack)"));
  EXPECT_FALSE(Reads("s = f32[1,64] dynamic-slice(stack, i, i)  b = f32[1,64] opt-barrier(s)  g = f32[64] reshape(b)"));
}

bool IsWritten(const std::string& body) {
  const TestGraph test("main { all = f32[4,64] parameter(0)  i = s32[] parameter(1)  y = f32[64] parameter(2) " + body +
                       "}");
  return IsWrittenIntoSlice(test.graph(), test["y"]);
}

TEST(IsWrittenIntoSlice, SeesAnUpdateAtOnceAndBehindMoves) {
  EXPECT_TRUE(IsWritten("u = f32[4,64] dynamic-update-slice(all, y, i, i)"));
  EXPECT_TRUE(IsWritten("r = f32[1,64] reshape(y)  u = f32[4,64] dynamic-update-slice(all, r, i, i)"));
  EXPECT_TRUE(IsWritten("n = f32[64] negate(y)  u = f32[4,64] dynamic-update-slice(all, y, i, i)"))
      << "one reader of several suffices";
}

TEST(IsWrittenIntoSlice, SeesNoneBehindWork) {
  EXPECT_FALSE(IsWritten("n = f32[64] negate(y)  u = f32[4,64] dynamic-update-slice(all, n, i, i)"));
  EXPECT_FALSE(IsWritten("r = f32[1,64] reshape(y)"));
}

}  // namespace
}  // namespace jax_oneshot
