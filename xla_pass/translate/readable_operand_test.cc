// SPDX-License-Identifier: Apache-2.0
// ReadableOperand skips promotions and layout changes, and nothing else.
#include "xla_pass/translate/readable_operand.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// What is read in place of %last if the `claimed` instructions belong to a region.
std::string ReadFor(const std::string& text, const std::vector<std::string>& claimed = {},
                    bool after_copy_insertion = false) {
  const TestGraph test(text);
  const OverwrittenValues values(test.graph());
  const OverwrittenValues* overwritten = after_copy_insertion ? &values : nullptr;
  StepBudget steps(1000);
  DependencyOrder order(test.graph(), test.entry(), &steps);
  std::vector<Node> members;
  for (const std::string& name : claimed) members.push_back(test[name]);
  if (!members.empty()) {
    EXPECT_TRUE(order.Contract(members, {}));
  }
  return std::string(test.graph().at(ReadableOperand(test.graph(), order, overwritten, test["last"])).name);
}

TEST(ReadableOperand, ReadsWhatWasWidenedToBeSummed) {
  EXPECT_EQ(ReadFor("main { b = bf16[8,64] parameter(0)  last = f32[8,64] convert(b) }"), "b");
  EXPECT_EQ(ReadFor("main { b = f16[8,64] parameter(0)  last = f32[8,64] convert(b) }"), "b");
}

TEST(ReadableOperand, KeepsAConvertThatRoundsOrReadsAnotherType) {
  EXPECT_EQ(ReadFor("main { b = f32[8,64] parameter(0)  last = bf16[8,64] convert(b) }"), "last");
  EXPECT_EQ(ReadFor("main { b = s32[8,64] parameter(0)  last = f32[8,64] convert(b) }"), "last");
  EXPECT_EQ(ReadFor("main { b = f8e5m2[8,64] parameter(0)  last = f32[8,64] convert(b) }"), "last");
  EXPECT_EQ(ReadFor("main { b = bf16[8,64] parameter(0)  last = bf16[8,64] negate(b) }"), "last");
}

TEST(ReadableOperand, ReadsInFrontOfACopyToAnotherLayoutInAFusion) {
  EXPECT_EQ(ReadFor(R"(moved { p = f32[8,64] parameter(0)
                               c = f32[8,64]{0,1} copy(p) }
                       main { r = f32[8,64] parameter(0)
                              last = f32[8,64]{0,1} fusion(r), calls=moved })"),
            "r");
}

TEST(ReadableOperand, KeepsAFusionThatComputes) {
  EXPECT_EQ(ReadFor(R"(computed { p = f32[8,64] parameter(0)
                                  c = f32[8,64] negate(p) }
                       main { r = f32[8,64] parameter(0)
                              last = f32[8,64] fusion(r), calls=computed })"),
            "last");
  EXPECT_EQ(ReadFor(R"(first_of { p = f32[8,64] parameter(0)
                                  q = f32[8,64] parameter(1)
                                  c = f32[8,64]{0,1} copy(p) }
                       main { r = f32[8,64] parameter(0)
                              s = f32[8,64] parameter(1)
                              last = f32[8,64]{0,1} fusion(r, s), calls=first_of })"),
            "last")
      << "of two operands it does not say which";
}

TEST(ReadableOperand, GoesThroughBitcastsThatAreReshapes) {
  EXPECT_EQ(ReadFor("main { r = f32[8,64] parameter(0)  last = f32[2,4,64] bitcast(r) }"), "r");
  EXPECT_EQ(ReadFor("main { r = f32[64,8] parameter(0)  last = f32[8,64]{0,1} bitcast(r) }"), "last")
      << "rows become columns";
  EXPECT_EQ(ReadFor("main { r = s32[8,64] parameter(0)  last = f32[8,64] bitcast(r) }"), "last");
}

TEST(ReadableOperand, PrefersWhatLiesRowByRow) {
  EXPECT_EQ(ReadFor("main { r = bf16[8,64]{0,1} parameter(0)  last = f32[8,64] convert(r) }"), "last");
  EXPECT_EQ(ReadFor(R"(main { r = bf16[8,64]{0,1} parameter(0)
                              last = f32[8,64]{0,1} convert(r) })"),
            "r")
      << "neither does, the narrower one is smaller";
}

TEST(ReadableOperand, KeepsWhatOthersReadTooIfTheBufferBeforeItIsOverwritten) {
  const std::string widened = R"(main { p = bf16[8,64] parameter(0)
                                        b = bf16[8,64] negate(p)
                                        u = bf16[8,64] custom(b)
                                        last = f32[8,64] convert(b) )";
  const std::string another_reader = "sum = f32[8,64] negate(last)  other = f32[8,64] add(last, sum) }";
  EXPECT_EQ(ReadFor(widened + "sum = f32[8,64] negate(last) }", {}, true), "b");
  EXPECT_EQ(ReadFor(widened + another_reader, {}, true), "last")
      << "%u may write into the buffer of %b between %last and the call";
  EXPECT_EQ(ReadFor(widened + another_reader), "b");
}

TEST(ReadableOperand, DoesNotLookIntoARegion) {
  const std::string text = R"(main { r = bf16[8,64] parameter(0)
                                     mid = f32[8,64] copy(r)
                                     last = f32[8,64] copy(mid) })";
  EXPECT_EQ(ReadFor(text), "r");
  EXPECT_EQ(ReadFor(text, {"mid"}), "mid");
}

}  // namespace
}  // namespace jax_oneshot
