// SPDX-License-Identifier: Apache-2.0
// FindEqualGathers: equal only if operand, dimension, shape and groups are.
#include "xla_pass/rewrite/equal_gathers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// What %b duplicates next to %a, an all-gather of %x; "" for nothing.
std::string EqualOf(const std::string& b, const std::string& removed_name = "") {
  const TestGraph test(R"(main { x = f32[8,8] parameter(0)
                                 y = f32[8,8] parameter(1)
                                 a = f32[8,16] all-gather(x), channel_id=1, dimensions={1},
                                   replica_groups={{0,1}}, use_global_device_ids=true
                                 b = )" +
                       b + "}");
  std::vector<bool> removed(test.module().computations[0].instructions.size(), false);
  if (!removed_name.empty()) removed[static_cast<size_t>(test[removed_name])] = true;
  const auto equal = FindEqualGathers(test.graph(), 0, removed);
  const auto found = equal.find(test["b"]);
  EXPECT_EQ(equal.size(), found == equal.end() ? 0u : 1u) << "the first one is never replaced";
  return found == equal.end() ? "" : std::string(test.graph().at(found->second).name);
}

constexpr char kAttributes[] = "channel_id=2, dimensions={1}, replica_groups={{0,1}}, use_global_device_ids=true ";

TEST(FindEqualGathers, TakesOneOfAnotherChannelForTheSame) {
  EXPECT_EQ(EqualOf("f32[8,16] all-gather(x), " + std::string(kAttributes)), "a");
}

TEST(FindEqualGathers, KeepsThoseThatDifferInAnything) {
  EXPECT_EQ(EqualOf("f32[8,16] all-gather(y), " + std::string(kAttributes)), "") << "another value";
  EXPECT_EQ(EqualOf("f32[8,16]{0,1} all-gather(x), " + std::string(kAttributes)), "") << "another layout";
  EXPECT_EQ(EqualOf("f32[16,8] all-gather(x), channel_id=2, dimensions={0}, replica_groups={{0,1}}, "
                    "use_global_device_ids=true"),
            "");
  EXPECT_EQ(EqualOf("f32[8,16] all-gather(x), channel_id=2, dimensions={1}, replica_groups={{1,0}}, "
                    "use_global_device_ids=true"),
            "")
      << "in another order";
  EXPECT_EQ(EqualOf("f32[8,16] all-gather(x), dimensions={1}, replica_groups={{0,1}}"), "") << "of replicas";
}

TEST(FindEqualGathers, KeepsWhatIsOrderedByControlDependencies) {
  EXPECT_EQ(EqualOf("f32[8,16] all-gather(x), control-predecessors={y}, " + std::string(kAttributes)), "");
}

TEST(FindEqualGathers, LeavesOutWhatIsRemoved) {
  const std::string equal = "f32[8,16] all-gather(x), " + std::string(kAttributes);
  EXPECT_EQ(EqualOf(equal, "a"), "");
  EXPECT_EQ(EqualOf(equal, "b"), "");
}

TEST(FindEqualGathers, GivesEveryLaterOneTheFirst) {
  const TestGraph test(R"(main { x = f32[8,8] parameter(0)
                                 a = f32[8,16] all-gather(x), dimensions={1}, replica_groups={{0,1}}
                                 b = f32[8,16] all-gather(x), dimensions={1}, replica_groups={{0,1}}
                                 c = f32[8,16] all-gather(x), dimensions={1}, replica_groups={{0,1}} })");
  const auto equal = FindEqualGathers(test.graph(), 0, std::vector<bool>(4, false));
  EXPECT_EQ(equal.size(), 2u);
  EXPECT_EQ(equal.at(test["b"]), test["a"]);
  EXPECT_EQ(equal.at(test["c"]), test["a"]);
}

}  // namespace
}  // namespace jax_oneshot
