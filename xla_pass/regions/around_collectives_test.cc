// SPDX-License-Identifier: Apache-2.0
// AroundCollectives: which members are connected to an absorbed collective.
#include "xla_pass/regions/around_collectives.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// A norm of shards: %m is summed over the ranks and %n gathered; %other depends only on the shards.
constexpr char kNorm[] = R"(
  main { s = f32[8,64] parameter(0)
         zero = f32[] constant(0)
         q = f32[8,64] multiply(s, s)
         other = f32[8,64] negate(s)
         m = f32[8] reduce(q, zero), dimensions={1}
         ar = f32[8] all-reduce(m), replica_groups={{0,1}}
         scale = f32[8] rsqrt(ar)
         g = f32[8,128] all-gather(other), dimensions={1}, replica_groups={{0,1}}
         behind = f32[8,128] abs(g)
         dead_end = f32[8] negate(m)
  })";

std::string Kept(const std::vector<std::string>& members) {
  const TestGraph test(kNorm);
  std::vector<Node> nodes;
  for (const std::string& member : members) nodes.push_back(test[member]);
  return test.Names(AroundCollectives(test.graph(), nodes));
}

TEST(AroundCollectives, KeepsWhatACollectiveNeedsAndWhatFollowsIt) {
  EXPECT_EQ(Kept({"q", "m", "ar", "scale"}), "q m ar scale");
  EXPECT_EQ(Kept({"other", "g", "behind"}), "other g behind");
}

TEST(AroundCollectives, LetsGoOfWhatOnlyHangsOnTheShards) {
  EXPECT_EQ(Kept({"q", "other", "m", "ar", "scale"}), "q m ar scale") << "the gather of %other is no member";
  EXPECT_EQ(Kept({"q", "m", "ar", "dead_end"}), "q m ar");
}

TEST(AroundCollectives, KeepsNothingWhereThereIsNoCollective) { EXPECT_EQ(Kept({"q", "other", "m"}), ""); }

TEST(AroundCollectives, FollowsMembersOnly) {
  EXPECT_EQ(Kept({"q", "ar", "scale"}), "ar scale") << "%m, which leads from %q to %ar, is no member";
}

}  // namespace
}  // namespace jax_oneshot
