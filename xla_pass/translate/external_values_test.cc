// SPDX-License-Identifier: Apache-2.0
// ExternalValues: the call's operands, and how far they are looked through.
#include "xla_pass/translate/external_values.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "row_program/text.h"
#include "xla_pass/graph/test_graph.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

// Reads values of a hand-written module for a region of [8,128] on two ranks.
class Reading {
 public:
  explicit Reading(const std::string& text, bool after_copy_insertion = false)
      : test_(text),
        overwritten_(test_.graph()),
        shards_(test_.graph(), groups_, {8, 128}),
        values_(test_.graph(),
                {test_.entry(), &shards_, [this](Node node) { return in_region.count(NameOf(node)) != 0; },
                 [this](Node node) { return opaque.count(NameOf(node)) != 0; },
                 [this](Node node) { return same.count(NameOf(node)) != 0; }, &steps_,
                 after_copy_insertion ? &overwritten_ : nullptr},
                &builder_) {}

  Decision<int> Read(const std::string& name, const RowLayout& fold, Distribution distribution = Distribution::kWhole) {
    return values_.Read(test_[name], fold, distribution);
  }

  // The program that returns the value, and its operands.
  std::string Program(const std::string& name, const RowLayout& fold,
                      Distribution distribution = Distribution::kWhole) {
    const Decision<int> value = Read(name, fold, distribution);
    if (!value) return value.error().text;
    const ProgramBuilder::Finished finished = builder_.Finish({{*value, builder_.kind(*value)}});
    std::string text = PrintRowProgram(finished.program) + " of";
    for (int input : finished.kept_inputs) text += " " + NameOf(values_.operands()[input].node);
    return text;
  }

  std::string NameOf(Node node) const { return std::string(test_.graph().at(node).name); }
  const TestGraph& test() const { return test_; }
  ExternalValues& values() { return values_; }
  ProgramBuilder& builder() { return builder_; }

  std::set<std::string> in_region, opaque, same;

 private:
  const hlo::ReplicaGroups groups_ = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  TestGraph test_;
  OverwrittenValues overwritten_;
  Shards shards_;
  StepBudget steps_ = StepBudget(10000);
  ProgramBuilder builder_;
  ExternalValues values_;
};

TEST(ExternalValues, ReadsASpelledOutGammaAsTheWeightItIs) {
  Reading reading(R"(main { g = bf16[128] parameter(0)
                            c = f32[128] convert(g)
                            one = f32[] constant(1)
                            ones = f32[128] broadcast(one), dimensions={}
                            sum = f32[128] add(ones, c)
                            gamma = f32[8,128] broadcast(sum), dimensions={1} })");
  EXPECT_EQ(reading.Program("gamma", {1}),
            "v1 (a0: local bf16 vec) { x0: f32 scalar = constant 1; x1: bf16 vec = load a0; x2: f32 vec = convert x1; "
            "x3: f32 vec = add x0, x2 } -> (x3: vec) of g");
}

TEST(ExternalValues, LooksThroughNothingToABufferThatMayBeOverwritten) {
  const std::string text = R"(main { p = f32[8,128] parameter(0)
                                     x = f32[8,128] negate(p)
                                     u = f32[8,128] custom(x)
                                     c = f32[8,128] copy(x)
                                     n = f32[8,128] copy(p) })";
  const auto loads = [](const std::string& name) {
    return "v1 (a0: local f32 row) { x0: f32 row = load a0 } -> (x0: row) of " + name;
  };
  EXPECT_EQ(Reading(text).Program("c", {1}), loads("x"));
  EXPECT_EQ(Reading(text, /*after_copy_insertion=*/true).Program("c", {1}), loads("c"))
      << "%u may write into the buffer of %x between %c and the call";
  EXPECT_EQ(Reading(text, /*after_copy_insertion=*/true).Program("n", {1}), loads("p"));
}

TEST(ExternalValues, LoadsFullSizeWorkAsItIsExceptForAWideningConvert) {
  Reading reading(R"(main { x = bf16[8,128] parameter(0)
                            wide = f32[8,128] convert(x)
                            narrow = bf16[8,128] convert(wide)
                            square = f32[8,128] multiply(wide, wide) })");
  EXPECT_EQ(reading.Program("square", {1}), "v1 (a0: local f32 row) { x0: f32 row = load a0 } -> (x0: row) of square");
  EXPECT_EQ(reading.Program("wide", {1}),
            "v1 (a0: local bf16 row) { x0: bf16 row = load a0; x1: f32 row = convert x0 } -> (x1: row) of x");
  EXPECT_EQ(reading.Program("narrow", {1}),
            "v1 (a0: local bf16 row) { x0: bf16 row = load a0 } -> (x0: row) of narrow");
}

TEST(ExternalValues, ReadsOneValueOnce) {
  Reading reading("main { g = f32[128] parameter(0)  r = f32[1,128] reshape(g) }");
  const int once = reading.Read("g", {0}).value();
  EXPECT_EQ(reading.Read("g", {0}).value(), once);
  EXPECT_EQ(reading.Read("r", {1}).value(), once) << "a reshape moves nothing";
  EXPECT_EQ(reading.values().operands().size(), 1u);
}

constexpr char kStack[] = R"(
  layer { stack = bf16[4,128] parameter(0)
          at = s32[] parameter(1)
          zero = s32[] constant(0)
          slice = bf16[1,128] dynamic-slice(stack, at, zero), dynamic_slice_sizes={1,128}
          product = bf16[1,128] dot(slice, slice)
          used = bf16[1,128] negate(slice) }
  main { w = bf16[4,128] parameter(0)
         i = s32[] parameter(1)
         f = bf16[1,128] fusion(w, i), calls=layer })";

TEST(ExternalValues, ClonesASliceOfAnAbsorbedFusionInFrontOfTheCall) {
  Reading reading(kStack);
  ASSERT_TRUE(reading.Read("slice", {1}));
  ASSERT_EQ(reading.values().operands().size(), 1u);
  const CallOperand& operand = reading.values().operands()[0];
  EXPECT_TRUE(operand.hoisted);
  EXPECT_EQ(reading.NameOf(operand.node), "slice");
  EXPECT_EQ(reading.test().Names(operand.leaves), "w i");
}

TEST(ExternalValues, DoesNotCloneWhatIsExpensive) {
  Reading reading(kStack);
  EXPECT_EQ(reading.Program("product", {1}), "operand %product (dot) has no row form");
  EXPECT_TRUE(reading.values().operands().empty()) << "nothing stays behind";
}

TEST(ExternalValues, GathersEachRanksColumns) {
  Reading reading("main { g = bf16[64] parameter(0)  h = f8e5m2[64] parameter(1) }");
  EXPECT_EQ(reading.Program("g", {0}, Distribution::kShard),
            "v1 (a0: gather bf16 vec) { x0: bf16 vec = all_gather a0 } -> (x0: vec) of g");
  EXPECT_EQ(reading.Program("h", {0}, Distribution::kShard),
            "operand %h: columns of type f8e5m2 are not gathered; supported: bf16, f16, f32");
}

TEST(ExternalValues, TakesAScalarOfEachRowBesideShardsOnlyWhenItIsTheSame) {
  Reading reading("main { scale = f32[8] parameter(0) }");
  EXPECT_EQ(reading.Program("scale", {1}, Distribution::kShard),
            "it takes columns of a value made from %scale, which may differ between ranks");
  reading.same = {"scale"};
  EXPECT_EQ(reading.Program("scale", {1}, Distribution::kShard),
            "v1 (a0: local f32 rowscalar) { x0: f32 rowscalar = load a0 } -> (x0: rowscalar) of scale");
}

TEST(ExternalValues, TakesAnAllGatherIntoTheExchange) {
  Reading reading(R"(main { g = bf16[64] parameter(0)
                            all = bf16[128] all-gather(g), dimensions={0}, replica_groups={{0,1}}
                            turned = bf16[128] all-gather(g), dimensions={0}, replica_groups={{1,0}}
                            end = bf16[128] add(all, turned) })");
  EXPECT_EQ(reading.Program("all", {0}), "v1 (a0: gather bf16 vec) { x0: bf16 vec = all_gather a0 } -> (x0: vec) of g");
  EXPECT_EQ(reading.Program("turned", {0}), "v1 (a0: local bf16 vec) { x0: bf16 vec = load a0 } -> (x0: vec) of turned")
      << "in another order it is a gather of its own";
  EXPECT_EQ(reading.test().Names(reading.values().AllGathers()), "all");
}

TEST(ExternalValues, ReadsTheWholeOfWhatEachRankSlicesOfOneValue) {
  Reading reading(R"(main { x = f32[8,128] parameter(0)
                            zero = u32[] constant(0)
                            columns = u32[] constant(64)
                            r = u32[] replica-id()
                            mine = u32[] multiply(r, columns)
                            s = f32[8,64] dynamic-slice(x, zero, mine) })");
  EXPECT_EQ(reading.Program("s", {1}, Distribution::kShard),
            "v1 (a0: gather f32 row) { x0: f32 row = all_gather a0 } -> (x0: row) of s")
      << "ranks may hold different values, so each rank's slice is needed";
  Reading same(
      "main { x = f32[8,128] parameter(0)  z = u32[] constant(0)  c = u32[] constant(64)  r = u32[] "
      "replica-id()  m = u32[] multiply(r, c)  s = f32[8,64] dynamic-slice(x, z, m) }");
  same.same = {"x"};
  EXPECT_EQ(same.Program("s", {1}, Distribution::kShard),
            "v1 (a0: local f32 row) { x0: f32 row = load a0 } -> (x0: row) of x");
}

TEST(ExternalValues, DoesNotLookThroughWhatAnotherRegionOwns) {
  Reading reading("main { g = bf16[128] parameter(0)  c = f32[128] convert(g) }");
  reading.opaque = {"c"};
  EXPECT_EQ(reading.Program("c", {0}), "v1 (a0: local f32 vec) { x0: f32 vec = load a0 } -> (x0: vec) of c");
}

TEST(ExternalValues, LoadsWhatLiesInAnotherOrderForItIsCopied) {
  Reading reading("main { turned = f32[8,128]{0,1} parameter(0) }");
  EXPECT_EQ(reading.Program("turned", {1}), "v1 (a0: local f32 row) { x0: f32 row = load a0 } -> (x0: row) of turned");
}

TEST(ExternalValues, RefusesWhatDoesNotFitTheRows) {
  Reading reading(R"(main { half = f32[8,64] parameter(0)
                            text = s32[8] parameter(1)
                            y = f32[8,128] parameter(2) })");
  EXPECT_EQ(reading.Program("half", {1}), "operand %half of shape f32[8,64] does not fit rows of width 128");
  EXPECT_EQ(reading.Program("text", {1}), "operand %text: type s32 is not one of a row program's");
  EXPECT_EQ(reading.Program("y", {1}), "v1 (a0: local f32 row) { x0: f32 row = load a0 } -> (x0: row) of y");
  reading.in_region = {"y"};
  EXPECT_EQ(reading.Program("y", {1}), "%y is used in two different row layouts");
}

TEST(ExternalValues, ForgetsWhatARollbackTookBack) {
  Reading reading("main { g = f32[128] parameter(0)  h = f32[128] parameter(1) }");
  const int kept = reading.Read("g", {0}).value();
  const ProgramBuilder::Checkpoint mark = reading.builder().Mark();
  const int forgotten = reading.Read("h", {0}).value();
  reading.values().Rollback(mark);
  EXPECT_EQ(reading.values().operands().size(), 1u);
  EXPECT_EQ(reading.Read("g", {0}).value(), kept);
  EXPECT_EQ(reading.Read("h", {0}).value(), forgotten) << "read again, in the place that is free again";
  EXPECT_EQ(reading.values().operands().size(), 2u);
}

TEST(ParseDirection, ReadsHlosSpellingAndRefusesATotalOrderOfNumbers) {
  const TestGraph test(R"(main { x = f32[8] parameter(0)
                                 lt = pred[8] compare(x, x), direction=LT
                                 total = pred[8] compare(x, x), direction=GE, type=TOTALORDER
                                 odd = pred[8] compare(x, x), direction=UP })");
  const auto direction = [&](const char* name, hlo::PrimitiveType type = hlo::PrimitiveType::kF32) {
    return ParseDirection(test.graph().at(test[name]), type);
  };
  EXPECT_EQ(direction("lt").value(), Direction::kLt);
  EXPECT_EQ(Refusal(direction("total")), "a total-order comparison has no row form");
  EXPECT_EQ(direction("total", hlo::PrimitiveType::kPred).value(), Direction::kGe) << "truth values have no other";
  EXPECT_EQ(Refusal(direction("odd")), "unknown comparison direction 'UP'");
}

}  // namespace
}  // namespace jax_oneshot
