// SPDX-License-Identifier: Apache-2.0
// FindInPlaceResults: a result aliases an operand only if the module updates that buffer.
#include "xla_pass/rewrite/in_place_results.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/regions/test_regions.h"

namespace jax_oneshot {
namespace {

// "output <- operand" for the region of %ar in the body of a loop whose state is (d, x, m, gamma).
std::string InBody(const std::string& body) {
  TestGraph test(std::string(kReducers) + R"(
    condition { state = (f32[8,128], f32[8,128], f32[8,128], f32[128]) parameter(0)
                more = pred[] custom(state) }
    body { state = (f32[8,128], f32[8,128], f32[8,128], f32[128]) parameter(0)
           d = f32[8,128] get-tuple-element(state), index=0
           x = f32[8,128] get-tuple-element(state), index=1
           m = f32[8,128] get-tuple-element(state), index=2
           gamma = f32[128] get-tuple-element(state), index=3
           ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add )" +
                 body + R"( }
    main { p = f32[8,128] parameter(0)
           g = f32[128] parameter(1)
           start = (f32[8,128], f32[8,128], f32[8,128], f32[128]) tuple(p, p, p, g)
           w = (f32[8,128], f32[8,128], f32[8,128], f32[128]) while(start), condition=condition, body=body })");
  const Node ar = test["ar"];
  const int computation = test.graph().computation_index(ar);
  StepBudget steps(100000);
  DependencyOrder order(test.graph(), computation, &steps);
  ReplicationCache replication(test.graph());
  KnownPrograms programs;
  GrowOptions options;
  options.max_bytes.fill(1 << 20);
  options.replication = &replication;
  options.programs = &programs;
  SiteTable sites;
  Decision<Site> site =
      CheckSite(test.graph(), ar, DecodeReplicaGroups(test.graph().at(ar)), SiteLimits{options.max_bytes});
  if (!site) return site.error().text;
  sites.Add(*std::move(site));
  const Decision<Region> region = GrowRegion(test.graph(), sites, order, {0, 0}, options);
  if (!region) return region.error().text;
  std::string text;
  for (const InPlaceResult& found : FindInPlaceResults(test.graph(), {}, *region)) {
    text += test.Names(std::vector<Node>{region->outputs[static_cast<size_t>(found.output)]}) + " <- " +
            test.Names(std::vector<Node>{region->operands[static_cast<size_t>(found.operand)].node}) + " ";
  }
  return text;
}

TEST(FindInPlaceResults, UpdatesTheLoopsStateWhereItLies) {
  EXPECT_EQ(InBody(R"(y = f32[8,128] add(ar, x)
                      ROOT t = (f32[8,128], f32[8,128], f32[8,128], f32[128]) tuple(d, y, m, gamma))"),
            "y <- x ");
}

TEST(FindInPlaceResults, UpdatesTwoElementsOfTheState) {
  EXPECT_EQ(InBody(R"(n = f32[8,128] add(ar, m)
                      y = f32[8,128] subtract(x, n)
                      ROOT t = (f32[8,128], f32[8,128], f32[8,128], f32[128]) tuple(d, y, n, gamma))"),
            "n <- m y <- x ");
}

TEST(FindInPlaceResults, LeavesAResultAloneThatBecomesAnotherElement) {
  EXPECT_EQ(InBody(R"(y = f32[8,128] add(ar, x)
                      ROOT t = (f32[8,128], f32[8,128], f32[8,128], f32[128]) tuple(d, x, y, gamma))"),
            "");
}

TEST(FindInPlaceResults, LeavesASumsOwnBufferAlone) {
  EXPECT_EQ(InBody(R"(y = f32[8,128] add(ar, x)
                      ROOT t = (f32[8,128], f32[8,128], f32[8,128], f32[128]) tuple(y, x, m, gamma))"),
            "")
      << "peers' messages are pushed from it";
}

}  // namespace
}  // namespace jax_oneshot
