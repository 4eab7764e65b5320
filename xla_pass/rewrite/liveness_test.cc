// SPDX-License-Identifier: Apache-2.0
// FindRemoved and FindUncalled: what is removed with a region, and what stays although unused.
#include "xla_pass/rewrite/liveness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// Names of the removed instructions, for a region with these members and leaves.
std::string Removed(const std::string& body, const std::vector<std::string>& members,
                    const std::vector<std::string>& leaves) {
  const TestGraph test(kReducers + ("main {" + body + "}"));
  Region region;
  for (const std::string& member : members) region.members.push_back(test[member]);
  for (const std::string& leaf : leaves) region.operands.push_back({test[leaf], false, {test[leaf]}});
  SiteTable sites;
  Site site;
  site.all_reduce = test["ar"];
  site.elements.resize(1);
  site.elements[0].results = {test[members[0]]};
  region.seeds = {{sites.Add(site), 0}};
  const auto removed = FindRemoved(test.graph(), test.entry(), sites, {region});
  std::vector<Node> nodes;
  for (size_t i = 0; i < removed.size(); ++i) {
    if (removed[i]) nodes.push_back(test.graph().node(test.entry(), static_cast<int>(i)));
  }
  return test.Names(nodes);
}

constexpr char kTail[] = R"(
  b = bf16[8,64] parameter(0)
  g = f32[64] parameter(1)
  promoted = f32[8,64] convert(b)
  ar = f32[8,64] all-reduce(promoted), replica_groups={{0,1}}, to_apply=add
  gamma = f32[8,64] broadcast(g), dimensions={1}
  n = f32[8,64] multiply(ar, gamma)
  out = f32[8,64] custom(n)
)";

TEST(FindRemoved, TakesAlongWhatOnlyTheRegionRead) {
  EXPECT_EQ(Removed(kTail, {"ar", "n"}, {"b", "g"}), "promoted ar gamma n") << "parameters stay";
  EXPECT_EQ(Removed(kTail, {"ar", "n"}, {"promoted", "g"}), "ar gamma n") << "the call reads the promoted operand";
}

TEST(FindRemoved, LeavesWhatAnotherReads) {
  const std::string read_again =
      kTail + std::string("again = f32[8,64] custom(gamma)  ROOT r = f32[8,64] add(out, out)");
  EXPECT_EQ(Removed(read_again, {"ar", "n"}, {"b", "g"}), "promoted ar n");
}

TEST(FindRemoved, LeavesTheResultAndWhatNeverHadAReader) {
  EXPECT_EQ(Removed(R"(b = f32[8,64] parameter(0)
                       unread = f32[8,64] negate(b)
                       x = f32[8,64] negate(b)
                       ar = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add
                       out = f32[8,64] custom(ar)
                       ROOT y = f32[8,64] add(x, b))",
                    {"ar"}, {"b"}),
            "ar")
      << "%x is read by the result, %unread was of no use before";
  EXPECT_EQ(Removed(R"(b = f32[8,64] parameter(0)
                       ROOT x = f32[8,64] negate(b)
                       ar = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add)",
                    {"ar"}, {"b"}),
            "ar");
}

TEST(FindRemoved, LeavesWhatMayHaveAnEffectOrAnOrder) {
  const std::string body = R"(b = f32[8,64] parameter(0)
                              x = f32[8,64] MADE
                              ar = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add
                              out = f32[8,64] custom(b)ORDERED)";
  const auto removed = [&](const std::string& made, const std::string& ordered) {
    std::string text = body;
    text.replace(text.find("MADE"), 4, made);
    text.replace(text.find("ORDERED"), 7, ordered);
    return Removed(text, {"ar"}, {"b"});
  };
  EXPECT_EQ(removed("negate(b)", ""), "x ar");
  EXPECT_EQ(removed("custom-call(b)", ""), "ar");
  EXPECT_EQ(removed("negate(b)", ", control-predecessors={x}"), "ar");
}

TEST(FindRemoved, CountsAValueThatIsReadTwiceOnce) {
  EXPECT_EQ(Removed(R"(b = f32[8,64] parameter(0)
                       x = f32[8,64] negate(b)
                       y = f32[8,64] add(x, x)
                       ar = f32[8,64] all-reduce(y), replica_groups={{0,1}}, to_apply=add
                       out = f32[8,64] custom(x))",
                    {"ar"}, {"b"}),
            "y ar")
      << "%x has one reader left";
}

TEST(FindRemoved, TakesATupleAllReduceWithItsElements) {
  EXPECT_EQ(Removed(R"(b = f32[8] parameter(0)
                       ar = (f32[8], f32[8]) all-reduce(b, b), replica_groups={{0,1}}, to_apply=add
                       first = f32[8] get-tuple-element(ar), index=0
                       out = f32[8] custom(first))",
                    {"first"}, {"b"}),
            "ar first");
}

// The computations that go when these instructions are removed.
std::string Uncalled(const std::vector<std::string>& removed) {
  const TestGraph test(R"(
    leaf { a = f32[] parameter(0) }
    middle { b = f32[] parameter(0)
             c = f32[] fusion(b), calls=leaf }
    shared { d = f32[] parameter(0) }
    main { p = f32[] parameter(0)
           x = f32[] fusion(p), calls=middle
           y = f32[] fusion(p), calls=shared
           z = f32[] fusion(p), calls=shared })");
  std::vector<Node> nodes;
  for (const std::string& name : removed) nodes.push_back(test[name]);
  std::string names;
  for (int computation : FindUncalled(test.graph(), nodes)) {
    names += (names.empty() ? "" : " ") + std::string(test.module().computations[computation].name);
  }
  return names;
}

TEST(FindUncalled, DropsAComputationWithItsLastCallerAndItsOwnCallees) {
  EXPECT_EQ(Uncalled({"x"}), "middle leaf");
  EXPECT_EQ(Uncalled({"y"}), "") << "another calls it";
  EXPECT_EQ(Uncalled({"y", "z"}), "shared");
  EXPECT_EQ(Uncalled({}), "");
}

}  // namespace
}  // namespace jax_oneshot
