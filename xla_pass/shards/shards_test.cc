// SPDX-License-Identifier: Apache-2.0
// Shards: which slices, gathers and further all-reduces match the ranks' columns, with near misses.
#include "xla_pass/shards/shards.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

constexpr RowExtent kExtent = {8, 128};
const hlo::ReplicaGroups kPairs = {hlo::GroupMode::kCrossReplica, {{0, 1}, {2, 3}}};

// `i` is the position of each rank in its pair, `mine` its first column.
TestGraph Main(const std::string& body) {
  return TestGraph(std::string(kReducers) + R"(
    main { x = f32[8,128] parameter(0)
           shard = f32[8,64] parameter(1)
           sums = f32[8] parameter(2)
           zero = u32[] constant(0)
           two = u32[] constant(2)
           columns = u32[] constant(64)
           r = u32[] replica-id()
           i = u32[] remainder(r, two)
           mine = u32[] multiply(i, columns) )" +
                   body + "}");
}

std::string SliceRefusal(const std::string& body) {
  const TestGraph test = Main(body);
  return Refusal(Shards(test.graph(), kPairs, kExtent).CheckSlice(test["s"], {1}));
}

std::string GatherRefusal(const std::string& body) {
  const TestGraph test = Main(body);
  return Refusal(Shards(test.graph(), kPairs, kExtent).CheckGather(test["g"], {1}));
}

std::string ReduceRefusal(const std::string& attributes, Reducer reducer = Reducer::kSum) {
  const TestGraph test = Main("t = f32[8] all-reduce(sums)" + attributes);
  return Refusal(Shards(test.graph(), kPairs, kExtent).CheckReduce(test["t"], reducer));
}

TEST(Shards, TellsShardsFromWholeRowsByTheirWidth) {
  const TestGraph test = Main("");
  const Shards shards(test.graph(), kPairs, kExtent);
  EXPECT_EQ(shards.extent(Distribution::kShard).width, 64);
  EXPECT_EQ(shards.DistributionOf(std::vector<int64_t>{8, 128}, {1}), Distribution::kWhole);
  EXPECT_EQ(shards.DistributionOf(std::vector<int64_t>{2, 4, 64}, {2}), Distribution::kShard);
  EXPECT_EQ(shards.DistributionOf(std::vector<int64_t>{8}, {1}), Distribution::kWhole)
      << "what has no columns is whole";
  EXPECT_EQ(shards.DistributionOf(std::vector<int64_t>{8, 32}, {1}), std::nullopt);
}

TEST(Shards, HasNoneWhereTheRanksDoNotShareOutTheColumns) {
  const TestGraph test = Main("");
  EXPECT_EQ(Shards(test.graph(), kPairs, {8, 127}).extent(Distribution::kShard).width, 0);
  EXPECT_EQ(Shards(test.graph(), kPairs, {8, 2}).extent(Distribution::kShard).width, 0) << "one column each";
  EXPECT_EQ(Shards(test.graph(), {hlo::GroupMode::kCrossReplica, {}}, kExtent).extent(Distribution::kShard).width, 0);
}

TEST(Shards, TakesASliceOfEachRanksOwnColumns) {
  EXPECT_EQ(SliceRefusal("s = f32[8,64] dynamic-slice(x, zero, mine)"), "");
  EXPECT_EQ(SliceRefusal(R"(table = u32[4] constant({0,64,0,64})
                            found = u32[1] dynamic-slice(table, r)
                            at = u32[] reshape(found)
                            s = f32[8,64] dynamic-slice(x, zero, at))"),
            "")
      << "looked up instead of computed";
  EXPECT_EQ(SliceRefusal(R"(far = u32[] multiply(mine, two)
                            s = f32[8,64] dynamic-slice(x, zero, far))"),
            "")
      << "HLO clamps 128 to 64";
}

TEST(Shards, RefusesASliceAtOtherColumns) {
  EXPECT_EQ(SliceRefusal("s = f32[8,64] dynamic-slice(x, zero, zero)"),
            "rank 1 slices at column 0, its own columns begin at 64");
  EXPECT_EQ(SliceRefusal(R"(there = u32[] subtract(columns, mine)
                            s = f32[8,64] dynamic-slice(x, zero, there))"),
            "rank 0 slices at column 64, its own columns begin at 0");
}

TEST(Shards, RefusesASliceWhoseOffsetTheRankAloneDoesNotDecide) {
  EXPECT_EQ(SliceRefusal(R"(step = u32[] parameter(3)
                            s = f32[8,64] dynamic-slice(x, zero, step))"),
            "the offset of its slice is not known on every rank: %step (parameter) is not a number that the rank alone "
            "decides");
}

TEST(Shards, RefusesASliceOfRowsOrOfOtherWidths) {
  const std::string not_columns = "it does not slice the row into one piece per rank";
  EXPECT_EQ(SliceRefusal("s = f32[4,128] dynamic-slice(x, zero, zero)"), not_columns);
  EXPECT_EQ(SliceRefusal("s = f32[4,64] dynamic-slice(x, zero, mine)"), not_columns);
  EXPECT_EQ(SliceRefusal("s = f32[8,32] dynamic-slice(x, zero, mine)"),
            "it takes 32 of 128 columns, which is not an equal share for 2 ranks");
}

TEST(Shards, TakesPiecesOfARowOnlyWhereTheyAreConsecutive) {
  EXPECT_EQ(SliceRefusal(R"(y = f32[8,2,64] parameter(3)
                            s = f32[8,1,64] dynamic-slice(y, zero, i, zero))"),
            "");
  EXPECT_EQ(SliceRefusal(R"(y = f32[8,64,2] parameter(3)
                            s = f32[8,64,1] dynamic-slice(y, zero, zero, i))"),
            "it does not slice the row into one piece per rank")
      << "every second column";
}

TEST(Shards, TakesAGatherOfTheSameRanksInTheSameOrder) {
  EXPECT_EQ(GatherRefusal("g = f32[8,128] all-gather(shard), dimensions={1}, replica_groups={{0,1},{2,3}}"), "");
  EXPECT_EQ(GatherRefusal("g = f32[8,128] all-gather(shard), dimensions={1}, replica_groups={{2,3},{0,1}}"), "")
      << "which group is named first means nothing";
  const std::string other = "its ranks are not those of the all-reduce, in the same order";
  EXPECT_EQ(GatherRefusal("g = f32[8,128] all-gather(shard), dimensions={1}, replica_groups={{1,0},{2,3}}"), other);
  EXPECT_EQ(GatherRefusal("g = f32[8,128] all-gather(shard), dimensions={1}, replica_groups={{0,2},{1,3}}"), other);
}

TEST(Shards, RefusesAGatherOfRowsOrOfSeveralValues) {
  const std::string groups = ", replica_groups={{0,1},{2,3}}";
  EXPECT_EQ(GatherRefusal("g = f32[16,64] all-gather(shard), dimensions={0}" + groups),
            "it does not gather the columns of rows");
  EXPECT_EQ(GatherRefusal("g = f32[8,128] all-gather(shard), dimensions={0}" + groups),
            "it does not gather the columns of rows")
      << "its dimension is not the one that grows";
  EXPECT_EQ(GatherRefusal("g = (f32[8,128], f32[8,128]) all-gather(shard, shard), dimensions={1}" + groups),
            "it gathers several values at once");
  EXPECT_EQ(GatherRefusal("g = f32[8,128] all-gather(shard), dimensions={1}, replica_groups={{0,1},{1,2}}"),
            "the replica groups cannot be read: id 1 occurs twice");
}

TEST(Shards, TakesAnAllReduceOfTheSameRanksInAnyOrder) {
  EXPECT_EQ(ReduceRefusal(", replica_groups={{1,0},{3,2}}, to_apply=add"), "");
  EXPECT_EQ(ReduceRefusal(", replica_groups={{0,2},{1,3}}, to_apply=add"),
            "its ranks are not those of the all-reduce, in the same order");
  EXPECT_EQ(ReduceRefusal(", channel_id=1, replica_groups={{0,1},{2,3}}, use_global_device_ids=true, to_apply=add"),
            "its ranks are not those of the all-reduce, in the same order")
      << "the ids mean something else";
}

TEST(Shards, RefusesAnAllReduceThatReducesOtherwise) {
  EXPECT_EQ(ReduceRefusal(", replica_groups={{0,1},{2,3}}, to_apply=max", Reducer::kMax), "");
  const std::string why = "it does not reduce as the row reduction before it does";
  EXPECT_EQ(ReduceRefusal(", replica_groups={{0,1},{2,3}}, to_apply=max"), why);
  EXPECT_EQ(ReduceRefusal(", replica_groups={{0,1},{2,3}}"), why);
}

}  // namespace
}  // namespace jax_oneshot
