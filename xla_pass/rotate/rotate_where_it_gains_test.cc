// SPDX-License-Identifier: Apache-2.0
// Which loops are rotated, with a stub for the pass. The real pass is tested on HLO text in
// tests/pass/test_pass_loops.py.
#include "xla_pass/rotate/rotate_where_it_gains.h"

#include <gtest/gtest.h>

#include "xla_pass/rotate/test_loop.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

// A pass that makes one region of the body, which returns the moved values.
MadeRegion TakesIn(const std::string& module) {
  const Result<hlo::Module> parsed = hlo::ParseModule(module);
  EXPECT_TRUE(parsed) << Refusal(parsed);
  MadeRegion region;
  region.computation = "body";
  region.all_reduces = {"ar"};
  for (const hlo::Computation& computation : parsed->computations) {
    if (computation.name != "body") continue;
    const hlo::Instruction& next = computation.instructions[computation.root];
    region.outputs = {"y", std::string(computation.instructions[next.operands[next.operands.size() - 1]].name)};
  }
  region.output_indices = {0, 1};
  return region;
}

Rotations Rotate(const std::string& text, bool after_copy_insertion, const RunPassOn& run_pass) {
  const TestGraph test(text);
  return RotateWhereItGains(test.module(), after_copy_insertion, run_pass);
}

TEST(RotateWhereItGains, KeepsARotationWhoseValueACallReturns) {
  const Rotations rotations =
      Rotate(HandLoop(), false, [](const std::string& module) { return std::vector<MadeRegion>{TakesIn(module)}; });
  ASSERT_TRUE(rotations.any_made);
  ASSERT_EQ(rotations.loops.size(), 1u);
  const Rotation& rotation = rotations.loops[0];
  EXPECT_FALSE(rotation.reason.has_value());
  EXPECT_EQ(rotation.loop + " " + rotation.computation + " " + rotation.all_reduce, "loop body ar");
  EXPECT_EQ(rotation.moved, (std::vector<std::string>{"q", "s", "sb", "m", "row", "g", "gb", "n"}));
  EXPECT_EQ(rotation.carried, std::vector<std::string>{"f32[8,64]"});
}

TEST(RotateWhereItGains, DropsARotationThatNoCallTakesIn) {
  int runs = 0;
  const Rotations rotations = Rotate(HandLoop(), false, [&](const std::string&) {
    ++runs;
    return std::vector<MadeRegion>{};
  });
  EXPECT_FALSE(rotations.any_made);
  EXPECT_EQ(runs, 1);
  ASSERT_EQ(rotations.loops.size(), 1u);
  EXPECT_EQ(rotations.loops[0].reason->id, ReasonId::kNoRegionTakesItIn);
  EXPECT_TRUE(rotations.loops[0].carried.empty());
}

TEST(RotateWhereItGains, TriesOnceMoreWithWhatTheRegionTookIn) {
  int runs = 0;
  const Rotations rotations = Rotate(HandLoop(), false, [&](const std::string& module) {
    MadeRegion region = TakesIn(module);
    if (++runs == 1) region.outputs = {"y", "s"};
    if (runs == 1) region.members = {"q", "s"};
    return std::vector<MadeRegion>{region};
  });
  ASSERT_TRUE(rotations.any_made);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(rotations.loops[0].moved, (std::vector<std::string>{"q", "s"}));
  EXPECT_EQ(rotations.loops[0].carried, std::vector<std::string>{"f32[8]"});
}

TEST(RotateWhereItGains, DoesNotCountACallThatSumsOnlyWhatMoved) {
  const Rotations rotations = Rotate(HandLoop(), false, [](const std::string& module) {
    MadeRegion region = TakesIn(module);
    region.all_reduces = {"s"};
    return std::vector<MadeRegion>{region};
  });
  EXPECT_FALSE(rotations.any_made);
}

TEST(RotateWhereItGains, LetsNoTwoElementsShareABufferWhereXlaAddsNoCopies) {
  const auto shares = [](const std::string& module) {
    MadeRegion region = TakesIn(module);
    region.output_indices = {0, 0};
    return std::vector<MadeRegion>{region};
  };
  EXPECT_FALSE(Rotate(HandLoop(), true, shares).any_made);
  EXPECT_TRUE(Rotate(HandLoop(), false, shares).any_made);
}

TEST(RotateWhereItGains, LetsNoCallReadTheBufferThatItWrites) {
  const auto reads = [](const std::string& module) {
    MadeRegion region = TakesIn(module);
    region.reads = {"n"};
    return std::vector<MadeRegion>{region};
  };
  EXPECT_FALSE(Rotate(HandLoop(), true, reads).any_made);
  EXPECT_TRUE(Rotate(HandLoop(), false, reads).any_made);
}

TEST(RotateWhereItGains, AddsNoCopiesWhereAReaderMayComeLate) {
  const std::string late = HandLoop({{"d = f32[8,64] dot(n, n)", "d = f32[8,64] dot(n, n)\ne = f32[8,64] dot(n, n)"}});
  const auto takes_in = [](const std::string& module) { return std::vector<MadeRegion>{TakesIn(module)}; };
  const Rotations rotations = Rotate(late, true, takes_in);
  EXPECT_FALSE(rotations.any_made);
  EXPECT_EQ(rotations.loops[0].reason->id, ReasonId::kReadTooLate);
  EXPECT_EQ(rotations.loops[0].reason->text, "%n may be read after the next iteration's value has been written");
  EXPECT_TRUE(Rotate(HandLoop(), true, takes_in).any_made);
  EXPECT_TRUE(Rotate(late, false, takes_in).any_made);
}

TEST(RotateWhereItGains, RotatesNothingWhereThePassFails) {
  const Rotations rotations =
      Rotate(HandLoop(), false, [](const std::string&) -> Result<std::vector<MadeRegion>> { return Err("of a test"); });
  EXPECT_FALSE(rotations.any_made);
  EXPECT_EQ(rotations.loops[0].reason->id, ReasonId::kRotatedModuleFails);
  EXPECT_EQ(rotations.loops[0].reason->text, "the pass fails on the module with rotated loops: of a test");
}

TEST(RotateWhereItGains, RotatesTheFirstLoopsOfVeryMany) {
  constexpr int kLoops = 18;
  std::string computations, calls;
  for (int i = 0; i < kLoops; ++i) {
    const std::string n = std::to_string(i);
    std::string text(kHandLoop);
    const size_t main = text.find("  main {");
    std::string loop = text.substr(0, main);
    loop.replace(loop.find("body {"), 4, "body" + n).replace(loop.find("condition {"), 9, "condition" + n);
    computations += loop;
    calls += "loop" + n + " = (s32[], f32[8,64], f32[3,64]) while(first), body=body" + n + ", condition=condition" + n +
             "\nout" + n + " = f32[8,64] get-tuple-element(loop" + n + "), index=1\n";
  }
  const std::string main = R"(
    main { x0 = f32[8,64] parameter(0)
           g0 = f32[3,64] parameter(1)
           start = s32[] constant(0)
           first = (s32[], f32[8,64], f32[3,64]) tuple(start, x0, g0)
  )";
  const Rotations rotations = Rotate(kReducers + computations + main + calls + "}", false,
                                     [](const std::string&) { return std::vector<MadeRegion>{}; });
  ASSERT_EQ(rotations.loops.size(), 18u);
  EXPECT_EQ(rotations.loops[15].reason->id, ReasonId::kNoRegionTakesItIn);
  EXPECT_EQ(rotations.loops[16].reason->id, ReasonId::kTooManyLoops);
  EXPECT_EQ(rotations.loops[16].reason->text, "only the first 16 such loops of a module are rotated");
}

TEST(RotateWhereItGains, RunsNothingForAModuleWithoutLoops) {
  const Rotations rotations = Rotate(std::string(kReducers) + R"(
    main { x = f32[8,64] parameter(0)
           ar = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add })",
                                     false, [](const std::string&) -> Result<std::vector<MadeRegion>> {
                                       ADD_FAILURE();
                                       return Err("");
                                     });
  EXPECT_TRUE(rotations.loops.empty());
}

}  // namespace
}  // namespace jax_oneshot
