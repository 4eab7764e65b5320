// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/decide_regions.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "xla_pass/graph/op_table.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

class Decider {
 public:
  Decider(const Graph& graph, const SiteTable& sites, const DecideOptions& options, DependencyOrder* order)
      : graph_(graph), sites_(sites), options_(options), order_(*order), is_hidden_(sites.size(), false) {}

  Decisions Run() {
    for (;;) {
      DecideAll();
      const std::vector<int> mixed = MixedSites();
      if (mixed.empty()) return std::move(decisions_);
      if (order_.steps()->IsSpent()) return WithoutMixed(mixed);
      for (int site : mixed) {
        sites_.Hide(site);
        is_hidden_[site] = true;
      }
      order_.Forget();
      decisions_.regions.clear();
      auto& kept = decisions_.kept;
      kept.erase(std::remove_if(kept.begin(), kept.end(), [&](const auto& one) { return !is_hidden_[one.first.site]; }),
                 kept.end());
    }
  }

 private:
  void DecideAll() {
    for (int s = 0; s < sites_.size(); ++s) {
      for (int e = 0; e < static_cast<int>(sites_.site(s).elements.size()) && !is_hidden_[s]; ++e) {
        const std::vector<Node>& results = sites_.site(s).elements[e].results;
        if (!results.empty() && order_.region(results[0]) < 0) Decide({s, e});
      }
    }
  }

  void Decide(SiteRef seed) {
    Decision<Region> region = Grow(seed);
    if (!region) return Keep(seed, region.error());
    if (std::optional<Region> norm = FindSplitNorm(*region); norm && Take(*std::move(norm))) {
      if (order_.region(sites_.element(seed).results[0]) >= 0) return;
      region = Grow(seed);
      if (!region) return Keep(seed, region.error());
    }
    if (IsReduceScatter(*region)) {
      region->kept_because =
          MakeReason<ReasonId::kFeedsReduceScatter>(graph_.at(sites_.site(seed.site).only_slice).name);
    }
    if (region->kept_because) return Keep(seed, *region->kept_because);
    if (!Take(*std::move(region))) Keep(seed, WaitsForItself());
  }

  // Errors are reasons.
  Decision<Region> Grow(SiteRef seed) const {
    Decision<Region> region = GrowRegion(graph_, sites_, order_, seed, options_.grow);
    if (order_.steps()->IsSpent()) return Refuse<ReasonId::kOutOfSteps>(order_.steps()->all());
    if (!region) return Refuse<ReasonId::kPassFailed>(region.error().text);
    return region;
  }

  // The reason when Contract has refused a region.
  Reason WaitsForItself() const {
    if (order_.steps()->IsSpent()) return MakeReason<ReasonId::kOutOfSteps>(order_.steps()->all());
    return MakeReason<ReasonId::kPassFailed>("the call would wait for itself");
  }

  void Keep(SiteRef seed, Reason why) { decisions_.kept.emplace_back(seed, std::move(why)); }

  bool Take(Region region) {
    if (!order_.Contract(region.members, region.InputLeaves())) return false;
    decisions_.regions.push_back(std::move(region));
    return true;
  }

  // The all-reduces with some elements in regions and others not.
  std::vector<int> MixedSites() const {
    std::vector<int> mixed;
    for (int s = 0; s < sites_.size(); ++s) {
      int taken = 0, left = 0;
      for (const SiteElement& element : sites_.site(s).elements) {
        if (!element.results.empty()) ++(order_.region(element.results[0]) >= 0 ? taken : left);
      }
      if (taken > 0 && left > 0) mixed.push_back(s);
    }
    return mixed;
  }

  Decisions WithoutMixed(const std::vector<int>& mixed) {
    for (int site : mixed) {
      for (size_t r = 0; r < decisions_.regions.size(); ++r) {
        const std::vector<SiteRef>& seeds = decisions_.regions[r].seeds;
        const bool sums = std::any_of(seeds.begin(), seeds.end(), [&](const SiteRef& s) { return s.site == site; });
        if (!sums) continue;
        decisions_.regions = WithoutRegion(std::move(decisions_.regions), r,
                                           MakeReason<ReasonId::kOutOfSteps>(order_.steps()->all()), &decisions_.kept);
        break;  // this removed all regions that sum elements of the all-reduce
      }
    }
    return std::move(decisions_);
  }

  // The norm of shards that begins with a row sum in `region`, if there is one and it can be grown without the region.
  std::optional<Region> FindSplitNorm(const Region& region) const {
    for (const Node output : region.outputs) {
      const SiteRef sum = SumThatAloneReads(output);
      if (sum.site < 0 || order_.region(sites_.element(sum).results[0]) >= 0) continue;
      Decision<Region> norm = Grow(sum);
      if (norm && !norm->kept_because && !norm->all_gathers.empty() && Contains(norm->members, output)) {
        return *std::move(norm);
      }
    }
    return std::nullopt;
  }

  // The all-reduce that is the only user of a row sum; site -1 if there is none.
  SiteRef SumThatAloneReads(Node node) const {
    const Span<Node> users = graph_.users(node);
    if (graph_.is_root(node) || users.size() != 1 || graph_.at(node).opcode != Opcode::kReduce) return {};
    return sites_.Find(users[0]);
  }

  static bool Contains(const std::vector<Node>& nodes, Node node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
  }

  // True if the region's all-reduces are used only by slices, and no math or other collectives are absorbed: the
  // compiler turns them into reduce-scatters, which it can combine.
  bool IsReduceScatter(const Region& region) const {
    const auto is_math = [&](Node member) {
      const Opcode opcode = graph_.at(member).opcode;
      return ElementwiseOp(opcode).has_value() && opcode != Opcode::kConvert;
    };
    return options_.compiler_makes_reduce_scatters && region.inner_all_reduces.empty() && region.all_gathers.empty() &&
           std::none_of(region.members.begin(), region.members.end(), is_math) &&
           std::all_of(region.seeds.begin(), region.seeds.end(),
                       [&](const SiteRef& seed) { return sites_.site(seed.site).only_slice != kNoNode; });
  }

  const Graph& graph_;
  SiteTable sites_;  // without the hidden ones
  const DecideOptions& options_;
  DependencyOrder& order_;
  std::vector<bool> is_hidden_;  // by site: kept, although some of its elements could be in regions
  Decisions decisions_;
};

}  // namespace

Decisions DecideRegions(const Graph& graph, const SiteTable& sites, const DecideOptions& options,
                        DependencyOrder* order) {
  return Decider(graph, sites, options, order).Run();
}

std::vector<Region> WithoutRegion(std::vector<Region> regions, size_t index, const Reason& why,
                                  std::vector<std::pair<SiteRef, Reason>>* kept) {
  std::vector<bool> goes(regions.size(), false);
  std::vector<size_t> work = {index};
  goes[index] = true;
  std::unordered_map<int, std::vector<size_t>> of_site;
  for (size_t r = 0; r < regions.size(); ++r) {
    for (const SiteRef& seed : regions[r].seeds) of_site[seed.site].push_back(r);
  }
  while (!work.empty()) {
    const size_t region = work.back();
    work.pop_back();
    for (const SiteRef& seed : regions[region].seeds) {
      kept->emplace_back(seed, why);
      for (size_t other : of_site[seed.site]) {
        if (!goes[other]) work.push_back(other);
        goes[other] = true;
      }
      of_site[seed.site].clear();
    }
  }
  std::vector<Region> left;
  for (size_t r = 0; r < regions.size(); ++r) {
    if (!goes[r]) left.push_back(std::move(regions[r]));
  }
  return left;
}

}  // namespace jax_oneshot
