// SPDX-License-Identifier: Apache-2.0
// FindShardSource: the shards whose row sums an all-reduce completes, or none.
#include "xla_pass/shards/shard_source.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// "name at split, rows x width" of the shards whose row sums %ar completes, on four ranks.
std::string SourceOf(const std::string& body) {
  const TestGraph test(std::string(kReducers) + R"(
    square_sums { p = bf16[8,64] parameter(0)
                  wide = f32[8,64] convert(p)
                  square = f32[8,64] multiply(wide, wide)
                  start = f32[] constant(0)
                  inner = f32[8] reduce(square, start), dimensions={1}, to_apply=add }
    sum_of_two { p = bf16[8,64] parameter(0)
                 q = bf16[8,64] parameter(1)
                 both = bf16[8,64] add(p, q) }
    main { s = bf16[8,64] parameter(0)
           zero = f32[] constant(0) )" +
                       body + "}");
  const auto source = FindShardSource(test.graph(), test["ar"], 4);
  if (!source) return "none";
  return std::string(test.graph().at(source->node).name) + " at " + std::to_string(source->split) + ", " +
         std::to_string(source->extent.rows) + " x " + std::to_string(source->extent.width);
}

constexpr char kAllReduce[] = " ar = f32[8] all-reduce(m), replica_groups={{0,1,2,3}}, to_apply=add ";

TEST(FindShardSource, FindsTheShardsWhoseSquaresAreSummed) {
  EXPECT_EQ(SourceOf(std::string(R"(c = f32[8,64] convert(s)
                                    q = f32[8,64] multiply(c, c)
                                    m = f32[8] reduce(q, zero), dimensions={1}, to_apply=add)") +
                     kAllReduce),
            "s at 1, 8 x 256");
}

TEST(FindShardSource, SeesThroughAFusionAndWindows) {
  EXPECT_EQ(SourceOf(std::string("m = f32[8] fusion(s), calls=square_sums") + kAllReduce), "s at 1, 8 x 256");
  EXPECT_EQ(SourceOf(std::string(R"(c = f32[8,64] convert(s)
                                    w = f32[8,2] reduce-window(c, zero), window={size=1x32 stride=1x32}, to_apply=add
                                    m = f32[8] reduce(w, zero), dimensions={1}, to_apply=add)") +
                     kAllReduce),
            "s at 1, 8 x 256");
}

TEST(FindShardSource, FoldsWhereTheReductionLeavesTheRows) {
  EXPECT_EQ(SourceOf(std::string(R"(c = f32[8,64] convert(s)
                                    t = f32[2,4,64] reshape(c)
                                    n = f32[2,4] reduce(t, zero), dimensions={2}, to_apply=add
                                    m = f32[8] reshape(n))") +
                     kAllReduce),
            "s at 1, 8 x 256");
}

TEST(FindShardSource, LooksPastConstantsAndBroadcastsButNotPastASecondValue) {
  const std::string sum = " m = f32[8] reduce(q, zero), dimensions={1}, to_apply=add";
  EXPECT_EQ(SourceOf(R"(two = bf16[] constant(2)
                        twos = bf16[8,64] broadcast(two), dimensions={}
                        q = bf16[8,64] multiply(s, twos))" +
                     sum + kAllReduce),
            "s at 1, 8 x 256");
  EXPECT_EQ(SourceOf("r = bf16[8,64] parameter(1)  q = bf16[8,64] add(s, r)" + sum + kAllReduce), "q at 1, 8 x 256")
      << "the sum of two is what lies in shards";
}

TEST(FindShardSource, TakesTheResultOfAFusionOfTwoValuesAsItIs) {
  const std::string sum = R"( c = f32[8,64] convert(f)
                              m = f32[8] reduce(c, zero), dimensions={1}, to_apply=add)";
  EXPECT_EQ(SourceOf("r = bf16[8,64] parameter(1)  f = bf16[8,64] fusion(s, r), calls=sum_of_two" + sum + kAllReduce),
            "f at 1, 8 x 256");
  EXPECT_EQ(SourceOf("f = bf16[8,64] fusion(s, s), calls=sum_of_two" + sum + kAllReduce), "s at 1, 8 x 256")
      << "two operands, one value";
}

TEST(FindShardSource, FindsNoneWhereNoRowsAreSummed) {
  EXPECT_EQ(SourceOf(R"(m = bf16[64] reduce(s, zero), dimensions={0}, to_apply=add
                        ar = bf16[64] all-reduce(m), replica_groups={{0,1,2,3}}, to_apply=add)"),
            "none")
      << "columns are";
  EXPECT_EQ(SourceOf("ar = bf16[8,64] all-reduce(s), replica_groups={{0,1,2,3}}, to_apply=add"), "none");
  EXPECT_EQ(SourceOf(R"(n = bf16[8] reduce(s, zero), dimensions={1}, to_apply=add
                        m = bf16[8] negate(n))" +
                     std::string(kAllReduce)),
            "none")
      << "something is done to the sums of one rank";
}

TEST(FindShardSource, FindsNoneBehindSeveralSums) {
  EXPECT_EQ(SourceOf(R"(m = bf16[8] reduce(s, zero), dimensions={1}, to_apply=add
                        ar = (bf16[8], bf16[8]) all-reduce(m, m), replica_groups={{0,1,2,3}}, to_apply=add)"),
            "none");
  EXPECT_EQ(SourceOf(R"(m = (f32[8], f32[8]) reduce(s, s, zero, zero), dimensions={1}, to_apply=add
                        n = f32[8] get-tuple-element(m), index=0
                        ar = f32[8] all-reduce(n), replica_groups={{0,1,2,3}}, to_apply=add)"),
            "none");
}

}  // namespace
}  // namespace jax_oneshot
