// SPDX-License-Identifier: Apache-2.0
// CheckSite: what makes an all-reduce a site, and the reason for each near miss.
#include "xla_pass/sites/site.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/verdict/reason.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

constexpr char kPair[] = ", replica_groups={{0,1},{2,3}}, to_apply=add";

// The site of %ar.
Decision<Site> SiteOf(const TestGraph& test, int64_t max_bytes = 1 << 20) {
  SiteLimits limits;
  limits.max_bytes.fill(max_bytes);
  const Node all_reduce = test["ar"];
  return CheckSite(test.graph(), all_reduce, DecodeReplicaGroups(test.graph().at(all_reduce)), limits);
}

TestGraph Main(const std::string& body) { return TestGraph(kReducers + ("main {" + body + "}")); }

// An all-reduce of one value of this shape.
TestGraph AllReduceOf(const std::string& shape, const std::string& attributes = kPair) {
  return Main("x = " + shape + " parameter(0)  ar = " + shape + " all-reduce(x)" + attributes);
}

std::string WhyKept(const std::string& shape, const std::string& attributes = kPair) {
  return Refusal(SiteOf(AllReduceOf(shape, attributes)));
}

TEST(CheckSite, TakesTheLastDimensionForTheRow) {
  const TestGraph test = AllReduceOf("bf16[2,4,512]");
  const Decision<Site> site = SiteOf(test);
  ASSERT_TRUE(site) << site.error().text;
  EXPECT_EQ(site->reducer, Reducer::kSum);
  EXPECT_EQ(site->group_size, 2);
  ASSERT_EQ(site->elements.size(), 1u);
  EXPECT_EQ(site->elements[0].rows, 8);
  EXPECT_EQ(site->elements[0].width, 512);
  EXPECT_EQ(site->elements[0].dtype, DType::kBF16);
  EXPECT_EQ(test.Names(site->elements[0].results), "ar");
}

TEST(CheckSite, CountsNoDimensionOfOneBehindTheRow) {
  const Decision<Site> site = SiteOf(AllReduceOf("bf16[64,8,1,1]"));
  ASSERT_TRUE(site) << site.error().text;
  EXPECT_EQ(site->elements[0].rows, 64);
  EXPECT_EQ(site->elements[0].width, 8);
}

TEST(CheckSite, TakesAScalarForOneRowOfWidthOne) {
  const Decision<Site> site = SiteOf(AllReduceOf("f32[]", ", replica_groups={{0,1}}, to_apply=max"));
  ASSERT_TRUE(site) << site.error().text;
  EXPECT_EQ(site->reducer, Reducer::kMax);
  EXPECT_EQ(site->elements[0].rows, 1);
  EXPECT_EQ(site->elements[0].width, 1);
}

TEST(CheckSite, GivesEachElementOfATupleItsReaders) {
  const TestGraph test = Main(R"(
    x = f32[8,64] parameter(0)
    y = f32[8,8] parameter(1)
    ar = (f32[8,64], f32[8,8]) all-reduce(x, y), replica_groups={{0,1}}, to_apply=add
    wide = f32[8,64] get-tuple-element(ar), index=0
    narrow = f32[8,8] get-tuple-element(ar), index=1
    again = f32[8,8] get-tuple-element(ar), index=1)");
  const Decision<Site> site = SiteOf(test);
  ASSERT_TRUE(site) << site.error().text;
  ASSERT_EQ(site->elements.size(), 2u);
  EXPECT_EQ(test.Names(site->elements[0].results), "wide");
  EXPECT_EQ(test.Names(site->elements[1].results), "narrow again");
  EXPECT_EQ(site->elements[1].operand, 1);
  EXPECT_EQ(site->elements[1].width, 8);
}

TEST(CheckSite, KeepsATupleThatIsUsedWhole) {
  const std::string pair = R"(
    x = f32[8] parameter(0)
    ar = (f32[8], f32[8]) all-reduce(x, x), replica_groups={{0,1}}, to_apply=add )";
  const std::string why = "the tuple of results is used whole, not through get-tuple-element";
  EXPECT_EQ(Refusal(SiteOf(Main(pair))), why) << "it is the root";
  EXPECT_EQ(Refusal(SiteOf(Main(pair + "y = (f32[8], f32[8]) opt-barrier(ar)"))), why);
  EXPECT_EQ(Refusal(SiteOf(Main(pair + "y = f32[8] get-tuple-element(ar), index=2"))), why);
  EXPECT_EQ(Refusal(SiteOf(Main(pair + "y = f32[8] get-tuple-element(ar), index=1"))), "");
}

TEST(CheckSite, KeepsWhatTheKernelsHaveNoSumsOf) {
  EXPECT_EQ(WhyKept("f16[8,64]"), "");
  EXPECT_EQ(WhyKept("s32[8,64]"), "the kernels have no sums in s32; supported: bf16, f16, f32");
  EXPECT_EQ(WhyKept("f8e4m3fn[8,64]"), "the kernels have no sums in f8e4m3fn; supported: bf16, f16, f32");
  EXPECT_EQ(WhyKept("f32[0,64]"), "the all-reduce has no elements");
}

TEST(CheckSite, KeepsGroupsItCannotMeetIn) {
  EXPECT_EQ(WhyKept("f32[8]", ", to_apply=add"),
            "the replica groups are empty (everybody), so the group size is not in the HLO; write the groups out");
  EXPECT_EQ(WhyKept("f32[8]", ", replica_groups={{0},{1}}, to_apply=add"), "the group has 1 ranks; supported: 2 to 16");
  EXPECT_EQ(WhyKept("f32[8]", ", replica_groups={{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}}, to_apply=add"), "");
  EXPECT_EQ(WhyKept("f32[8]", ", replica_groups={{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}}, to_apply=add"),
            "the group has 17 ranks; supported: 2 to 16");
  EXPECT_EQ(WhyKept("f32[8]", ", replica_groups={{0,0}}, to_apply=add"),
            "the replica groups cannot be read: id 0 occurs twice");
  const std::string with_channel = ", channel_id=1, replica_groups={{0,1}}, to_apply=add";
  EXPECT_EQ(WhyKept("f32[8]", with_channel),
            "group mode cross_replica_and_partition is not supported; supported: cross_replica, cross_partition, "
            "flattened_id");
  EXPECT_EQ(WhyKept("f32[8]", with_channel + ", use_global_device_ids=true"), "");
}

TEST(CheckSite, KnowsTheReductionByWhatItDoes) {
  const TestGraph test(R"(
    add { a = f32[] parameter(0)
          b = f32[] parameter(1)
          r = f32[] multiply(a, b) }
    main { x = f32[8] parameter(0)
           ar = f32[8] all-reduce(x), replica_groups={{0,1}}, to_apply=add })");
  EXPECT_EQ(Refusal(SiteOf(test)), "the reduction %add is not a sum, maximum or minimum of its two arguments");
  EXPECT_EQ(WhyKept("f32[8]", ", replica_groups={{0,1}}"),
            "the reduction %(none) is not a sum, maximum or minimum of its two arguments");
}

TEST(CheckSite, KeepsMessagesAboveTheLimitOfTheirGroupSize) {
  const TestGraph test = AllReduceOf("bf16[8,64]");  // 1024 bytes
  EXPECT_TRUE(SiteOf(test, 1024));
  EXPECT_EQ(Refusal(SiteOf(test, 1023)),
            "the message of 1024 bytes per rank is above the limit of 1023 bytes for 2 ranks (JAX_ONESHOT_MAX_BYTES)");
}

TEST(CheckSite, KeepsAnAllReduceOthersAreOrderedAfter) {
  const std::string all_reduce = "x = f32[8] parameter(0)  ar = f32[8] all-reduce(x)" + std::string(kPair);
  EXPECT_EQ(Refusal(SiteOf(Main(all_reduce + "  y = f32[8] negate(x), control-predecessors={ar}"))),
            "the all-reduce has control dependencies, which a fused call would lose");
  EXPECT_EQ(Refusal(SiteOf(Main(all_reduce + "  y = f32[8] negate(x)"))), "");
}

TEST(CheckSite, TakesAnyOrderOfDimensionsButNoDynamicOnes) {
  EXPECT_EQ(WhyKept("bf16[8,64]{0,1}"), "");
  hlo::TestComputation add{1, "add", {hlo::TestParameter(1, 0), hlo::TestParameter(2, 1)}, 3};
  add.instructions.push_back(TestOp(3, "r", "add", {1, 2}));
  hlo::TestComputation main{2, "main", {hlo::TestParameter(4, 0), TestOp(5, "ar", "all-reduce", {4})}, 5};
  main.instructions[1].called_computations = {1};
  main.instructions[1].shape += wire::Writer().Packed(hlo::fields::shape::kIsDynamicDimension, {1}).Take();
  const TestGraph dynamic({add, main}, 2);
  const hlo::ReplicaGroups groups = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  EXPECT_EQ(Refusal(CheckSite(dynamic.graph(), dynamic["ar"], groups, {})), "the layout of f32[8] is not row-major");
}

std::string OnlySlice(const std::string& behind) {
  const TestGraph test(std::string(kReducers) + R"(
    slices { whole = f32[8,64] parameter(0)
             at = s32[] parameter(1)
             ROOT inner = f32[8,32] dynamic-slice(whole, at, at) }
    main { x = f32[8,64] parameter(0)
           i = s32[] parameter(1)
           ar = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add )" +
                       behind + "}");
  const Decision<Site> site = SiteOf(test);
  if (!site) return site.error().text;
  return site->only_slice == kNoNode ? "none" : std::string(test.graph().at(site->only_slice).name);
}

TEST(CheckSite, NotesTheSliceThatIsTheOnlyReader) {
  const std::string slice = "s = f32[8,32] dynamic-slice(ar, i, i)";
  EXPECT_EQ(OnlySlice(slice), "s");
  EXPECT_EQ(OnlySlice("m = bf16[8,64] convert(ar)  s = bf16[8,32] dynamic-slice(m, i, i)"), "s");
  EXPECT_EQ(OnlySlice("f = f32[8,32] fusion(ar, i), calls=slices"), "inner");
  EXPECT_EQ(OnlySlice(slice + "  n = f32[8,64] negate(ar)"), "none") << "another reads the whole";
  EXPECT_EQ(OnlySlice("n = f32[8,64] negate(ar)"), "none");
  EXPECT_EQ(OnlySlice(""), "none") << "it is the result";
}

TEST(CheckSite, CountsTheBytesOfAMessage) {
  const TestGraph test = Main("x = (bf16[8,64], f32[8]) parameter(0)  s = f32[] constant(0)");
  EXPECT_EQ(MessageBytes(*test.graph().at(test["x"]).shape), 8 * 64 * 2 + 8 * 4);
  EXPECT_EQ(MessageBytes(*test.graph().at(test["s"]).shape), 4);
}

TEST(CheckSite, KnowsTheTypesOfRowPrograms) {
  EXPECT_EQ(ToDType(hlo::PrimitiveType::kBF16).value(), DType::kBF16);
  EXPECT_EQ(ToDType(hlo::PrimitiveType::kPred).value(), DType::kPred);
  EXPECT_EQ(Refusal(ToDType(hlo::PrimitiveType::kS32)), "type s32 is not one of a row program's");
}

}  // namespace
}  // namespace jax_oneshot
