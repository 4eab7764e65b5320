// SPDX-License-Identifier: Apache-2.0
// Grows regions from a decoder tail in HLO text. For tests only.
#ifndef XLA_PASS_REGIONS_TEST_REGIONS_H_
#define XLA_PASS_REGIONS_TEST_REGIONS_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/regions/decide_regions.h"
#include "xla_pass/regions/grow_region.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// A decoder tail on two ranks, whose residual stream is [8,128].
inline constexpr char kHead[] = R"(
  main { d = f32[8,128] parameter(0)
         e = f32[8,128] parameter(1)
         x = f32[8,128] parameter(2)
         gamma = f32[128] parameter(3)
         w = f32[128,32] parameter(4)
         eps = f32[] constant(1e-5)
         zero = f32[] constant(0)
)";

class Growth {
 public:
  explicit Growth(const std::string& body, bool compiler_fuses_later = false)
      : test_(kReducers + (kHead + body + "}")),
        order_(test_.graph(), test_.entry(), &steps_),
        replication_(test_.graph()) {
    options_.compiler_fuses_later = compiler_fuses_later;
    options_.max_bytes.fill(1 << 20);
    options_.replication = &replication_;
    options_.programs = &programs_;
    const Node first = test_.graph().node(test_.entry(), 0);
    for (Node node = first; node < test_.graph().size(); ++node) {
      if (test_.graph().at(node).opcode != hlo::Opcode::kAllReduce) continue;
      const auto groups = DecodeReplicaGroups(test_.graph().at(node));
      if (Decision<Site> site = CheckSite(test_.graph(), node, groups, {options_.max_bytes}); site) {
        sites_.Add(*std::move(site));
      }
    }
  }

  // The region grown from this all-reduce's result.
  Region Grow(const std::string& all_reduce) {
    const Decision<Region> region = GrowRegion(test_.graph(), sites_, order_, sites_.Find(test_[all_reduce]), options_);
    EXPECT_TRUE(region) << Refusal(region);
    return region.value_or(Region());
  }

  std::string Operands(const Region& region) const {
    std::vector<Node> nodes;
    for (const CallOperand& operand : region.operands) nodes.push_back(operand.node);
    return test_.Names(nodes);
  }
  template <typename Nodes>
  std::string Names(const Nodes& nodes) const {
    return test_.Names(nodes);
  }
  bool Accept(const Region& region) { return order_.Contract(region.members, region.InputLeaves()); }
  // Decides all regions, as the pass does.
  Decisions Decide(bool compiler_makes_reduce_scatters) {
    const DecideOptions options = {options_, compiler_makes_reduce_scatters};
    return DecideRegions(test_.graph(), sites_, options, &order_);
  }
  GrowOptions& options() { return options_; }
  const DependencyOrder& order() const { return order_; }
  StepBudget& steps() { return steps_; }
  SiteTable& sites() { return sites_; }
  const TestGraph& test() const { return test_; }

 private:
  TestGraph test_;
  SiteTable sites_;
  StepBudget steps_ = StepBudget(1 << 20);
  DependencyOrder order_;
  ReplicationCache replication_;
  KnownPrograms programs_;
  GrowOptions options_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_TEST_REGIONS_H_
