// SPDX-License-Identifier: Apache-2.0
// The stages in sequence. tests/pass/test_pass_nested_sums.py tests on HLO text which all-reduces each stage changes.
#include "xla_pass/sums/prepare_sums.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/hlo_view/replica_groups.h"

namespace jax_oneshot {
namespace {

constexpr char kNested[] = R"(
  main {
    x = f32[8,64] parameter(0)
    a = f32[8,64] all-reduce(x), replica_groups={{0,1},{2,3}}, to_apply=add
    lone = f32[8,64] all-reduce(a), replica_groups={{0},{1},{2},{3}}, to_apply=add
    b = f32[8,64] all-reduce(lone), replica_groups={{0,2},{1,3}}, to_apply=add
    c = f32[8,64] negate(b)
  })";

TEST(PrepareSums, LeavesAModuleWithNothingToDoAlone) {
  const TestGraph test(std::string(kReducers) + R"(
    main { x = f32[8,64] parameter(0)
           a = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add })");
  const Result<PreparedModule> prepared = PrepareSums(test.module(), true);
  ASSERT_TRUE(prepared.has_value()) << prepared.error();
  EXPECT_EQ(prepared->bytes, "");
  EXPECT_TRUE(prepared->gone.empty());
}

TEST(PrepareSums, FoldsWhatStandsAroundAGroupOfOne) {
  const TestGraph test(std::string(kReducers) + kNested);
  const Result<PreparedModule> prepared = PrepareSums(test.module(), true);
  ASSERT_TRUE(prepared.has_value()) << prepared.error();
  ASSERT_EQ(prepared->gone.size(), 2);
  EXPECT_EQ(prepared->gone[0].name, "lone");
  EXPECT_EQ(prepared->gone[0].into, "");
  EXPECT_EQ(prepared->gone[1].name, "a");
  EXPECT_EQ(prepared->gone[1].into, "b");
  EXPECT_EQ(prepared->gone[1].group_size, 2);
  const Result<hlo::Module> module = hlo::ParseModule(prepared->bytes);
  ASSERT_TRUE(module.has_value()) << module.error();
  const Graph graph(*module);
  int all_reduces = 0;
  for (Node node = 0; node < graph.size(); ++node) {
    if (graph.at(node).opcode != hlo::Opcode::kAllReduce) continue;
    ++all_reduces;
    EXPECT_EQ(graph.at(node).name, "b");
    const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(graph.at(node));
    ASSERT_TRUE(groups.has_value()) << groups.error();
    EXPECT_EQ(groups->groups, (std::vector<std::vector<int64_t>>{{0, 1, 2, 3}}));
  }
  EXPECT_EQ(all_reduces, 1);
}

TEST(PrepareSums, SinksOnlyWhereTheCompilerStillLowersWhatItIsGiven) {
  const TestGraph test(std::string(kReducers) + R"(
    main { x = f32[8,64] parameter(0)
           zero = f32[] constant(0)
           a = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add
           s = f32[64] reduce(a, zero), dimensions={0}, to_apply=add })");
  EXPECT_NE(PrepareSums(test.module(), true)->bytes, "");
  EXPECT_EQ(PrepareSums(test.module(), false)->bytes, "");
}

}  // namespace
}  // namespace jax_oneshot
