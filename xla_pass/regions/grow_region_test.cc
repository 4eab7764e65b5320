// SPDX-License-Identifier: Apache-2.0
// GrowRegion: how far the math after an all-reduce extends, and why it ends there. For sharded norms see
// grow_region_shards_test.cc.
#include "xla_pass/regions/grow_region.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/regions/test_regions.h"

namespace jax_oneshot {
namespace {

constexpr char kNorm[] = R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         y = f32[8,128] add(ar, x)
         square = f32[8,128] multiply(y, y)
         sum = f32[8] reduce(square, zero), dimensions={1}, to_apply=add
         floor = f32[8] broadcast(eps), dimensions={}
         safe = f32[8] add(sum, floor)
         scale = f32[8] rsqrt(safe)
         wide_scale = f32[8,128] broadcast(scale), dimensions={0}
         scaled = f32[8,128] multiply(y, wide_scale)
         wide_gamma = f32[8,128] broadcast(gamma), dimensions={1}
         n = f32[8,128] multiply(scaled, wide_gamma)
)";

TEST(GrowRegion, TakesTheResidualAndTheNormUpToTheDot) {
  Growth growth(kNorm + std::string("q = f32[8,32] dot(n, w)  next = f32[8,128] custom(y)"));
  const Region region = growth.Grow("ar");
  EXPECT_EQ(growth.Names(region.members), "ar y square sum safe scale wide_scale scaled n");
  EXPECT_EQ(growth.Operands(region), "d x gamma");
  EXPECT_EQ(growth.Names(region.outputs), "y n") << "the residual is read again";
  EXPECT_EQ(region.ends.text, "the region ends before %next: custom has no row form");
  EXPECT_EQ(region.absorbed_instructions, 8);
  EXPECT_EQ(region.extent.rows, 8);
  EXPECT_EQ(region.extent.width, 128);
  EXPECT_EQ(region.program_text.rfind("v1 (a0: sum f32 row, a1: local f32 row, a2: local f32 vec)", 0), 0u)
      << region.program_text;
}

TEST(GrowRegion, SaysWhenEverythingBehindWasTakenIn) {
  Growth growth("ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add  y = f32[8,128] add(ar, x)");
  EXPECT_EQ(growth.Grow("ar").ends.text, "everything after it was absorbed");
}

TEST(GrowRegion, RefusesAnOperandThatIsComputedFromTheRegion) {
  const std::string body = R"(
         ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
         second = f32[8,128] all-reduce(e), replica_groups={{0,1,2,3}}, to_apply=add
         y = f32[8,128] add(second, WHAT)
         back = f32[8,128] custom(y)
         z = f32[8,128] add(ar, back))";
  const auto grow = [&](const std::string& what) {
    std::string text = body;
    Growth growth(text.replace(text.find("WHAT"), 4, what));
    EXPECT_TRUE(growth.Accept(growth.Grow("second")));
    const Region region = growth.Grow("ar");
    return growth.Names(region.members) + ", " + region.ends.text;
  };
  EXPECT_EQ(grow("ar"), "ar, the region ends before %z: its operand %back is computed from the region");
  EXPECT_EQ(grow("x"), "ar z, everything after it was absorbed");
}

TEST(GrowRegion, StopsAtControlDependencies) {
  Growth growth(R"(ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
                   before = f32[8,128] custom(x)
                   y = f32[8,128] add(ar, x), control-predecessors={before})");
  const Region region = growth.Grow("ar");
  EXPECT_EQ(growth.Names(region.members), "ar");
  EXPECT_EQ(region.ends.text, "the region ends before %y: it has control dependencies");
}

constexpr char kTwoSums[] = "second = f32[8,128] all-reduce(e), to_apply=add, replica_groups=";

TEST(GrowRegion, SumsTwoAllReducesThatAreAddedInOneExchange) {
  Growth growth("ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add  " + std::string(kTwoSums) +
                "{{0,1}}  y = f32[8,128] add(ar, second)");
  const Region region = growth.Grow("ar");
  EXPECT_EQ(region.seeds.size(), 2u);
  EXPECT_EQ(growth.Names(region.members), "ar second y");
  EXPECT_EQ(growth.Operands(region), "d e");
}

TEST(GrowRegion, ReadsASecondSumOfOtherRanksAsAnOperand) {
  Growth growth("ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add  " + std::string(kTwoSums) +
                "{{0,1,2,3}}  y = f32[8,128] add(ar, second)");
  const Region region = growth.Grow("ar");
  EXPECT_EQ(region.seeds.size(), 1u);
  EXPECT_EQ(growth.Operands(region), "d second");
}

TEST(GrowRegion, DoesNotJoinASumThatWaitsForTheFirst) {
  Growth growth(R"(ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
                   between = f32[8,128] custom(ar)
                   second = f32[8,128] all-reduce(between), replica_groups={{0,1}}, to_apply=add
                   y = f32[8,128] add(ar, second))");
  const Region region = growth.Grow("ar");
  EXPECT_EQ(growth.Names(region.members), "ar");
  EXPECT_EQ(region.seeds.size(), 1u);
}

TEST(GrowRegion, GivesBackASecondSumThatNothingConnectsWithTheFirst) {
  Growth growth(R"(ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add
                   second = f32[8,128] all-reduce(e), replica_groups={{0,1}}, to_apply=add
                   between = f32[8,128] fusion(second)
                   y = f32[8,128] add(ar, between))");
  const Region region = growth.Grow("ar");
  EXPECT_EQ(region.seeds.size(), 1u);
  EXPECT_EQ(growth.Names(region.members), "ar y");
  EXPECT_EQ(growth.Operands(region), "d between");
}

TEST(GrowRegion, LeavesAlreadyAcceptedRegionsAlone) {
  Growth growth("ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add  " + std::string(kTwoSums) +
                "{{0,1,2,3}}  y = f32[8,128] add(ar, second)");
  EXPECT_TRUE(growth.Accept(growth.Grow("ar")));
  EXPECT_EQ(growth.Names(growth.Grow("second").members), "second");
}

TEST(GrowRegion, GivesAMaximumNoEpilogue) {
  Growth growth("ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=max  y = f32[8,128] add(ar, x)");
  const Region region = growth.Grow("ar");
  EXPECT_EQ(growth.Names(region.members), "ar");
  EXPECT_EQ(region.ends.text, "a reduction by maximum gets no epilogue");
  EXPECT_EQ(region.absorbed_instructions, 0);
}

TEST(GrowRegion, CountsTheInstructionsOfAFusionButNotItsElements) {
  const std::string both = R"(
    both { p = f32[8,128] parameter(0)
           p1 = f32[8,128] parameter(1)
           q = f32[8,128] negate(p)
           r = f32[8,128] abs(p1)
           results = (f32[8,128], f32[8,128]) tuple(q, r) } )";
  TestGraph test(both + R"(
    main { a = f32[8,128] parameter(0)
           f = (f32[8,128], f32[8,128]) fusion(a, a), calls=both
           e = f32[8,128] get-tuple-element(f), index=0
           n = f32[8,128] negate(e) })");
  EXPECT_EQ(InstructionCount(test.graph(), test["f"]), 2);
  EXPECT_EQ(InstructionCount(test.graph(), test["e"]), 0);
  EXPECT_EQ(InstructionCount(test.graph(), test["n"]), 1);
}

TEST(GrowRegion, LeavesToAFusingCompilerWhatIsFreeThere) {
  const std::string body = kNorm + std::string(R"(
         q = f32[8,32] dot(n, w)
         p = f32[8,32] dot(y, w)
         z = f32[8,128] add(y, x)
         half = f32[8,64] slice(z))");
  Growth cpu(body);
  EXPECT_EQ(cpu.Names(cpu.Grow("ar").outputs), "y z n");
  Growth gpu(body, /*compiler_fuses_later=*/true);
  EXPECT_EQ(gpu.Names(gpu.Grow("ar").outputs), "y n");
}

TEST(GrowRegion, KeepsAnAllReduceThatIsReadInAnotherLayout) {
  Growth growth("ar = f32[8,128]{0,1} all-reduce(d), replica_groups={{0,1}}, to_apply=add  q = f32[8,32] dot(ar, w)");
  EXPECT_EQ(growth.Grow("ar").kept_because->text, "the layout of f32[8,128] is not row-major");
  Growth copied(R"(ar = f32[8,128]{0,1} all-reduce(d), replica_groups={{0,1}}, to_apply=add
                   y = f32[8,128] copy(ar)
                   q = f32[8,32] dot(y, w))");
  EXPECT_FALSE(copied.Grow("ar").kept_because) << "nobody outside reads it so";
}

}  // namespace
}  // namespace jax_oneshot
