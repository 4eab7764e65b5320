#include "xla_pass/match/decide_regions.h"

#include <algorithm>
#include <optional>

#include "xla_pass/match/op_table.h"
#include "xla_pass/match/reasons.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

class Decider {
 public:
  Decider(const Graph& graph, const SiteTable& sites, const DecideOptions& options, DependencyOrder* order)
      : graph_(graph), sites_(sites), options_(options), order_(*order) {}

  Result<Decisions> Run() {
    for (int s = 0; s < sites_.size(); ++s) {
      for (int e = 0; e < static_cast<int>(sites_.site(s).elements.size()); ++e) {
        const std::vector<Node>& results = sites_.site(s).elements[e].results;
        if (results.empty() || order_.region(results[0]) >= 0) continue;
        if (Result<void> decided = Decide({s, e}); !decided) {
          return Err("all-reduce %" + std::string(graph_.at(sites_.site(s).all_reduce).name) + ": " + decided.error());
        }
      }
    }
    return std::move(decisions_);
  }

 private:
  Result<void> Decide(SiteRef seed) {
    Result<Region> region = GrowRegion(graph_, sites_, order_, seed, options_.grow);
    if (!region) return Err(region.error());
    Result<std::optional<Region>> norm = NormThatItBreaks(*region);
    if (!norm) return Err(norm.error());
    if (norm->has_value()) {
      Take(**std::move(norm));
      region = GrowRegion(graph_, sites_, order_, seed, options_.grow);
      if (!region) return Err(region.error());
    }
    if (IsReduceScatter(*region)) {
      region->kept_because = reason::FeedsReduceScatter(graph_.at(sites_.site(seed.site).only_slice).name);
    }
    if (region->kept_because.empty()) {
      Take(*std::move(region));
    } else {
      decisions_.kept.emplace_back(seed, region->kept_because);
    }
    return {};
  }

  void Take(Region region) {
    order_.Contract(region.members, region.InputLeaves());
    decisions_.regions.push_back(std::move(region));
  }

  // The norm of shards that begins with a row sum in `region`, if that is so and it can be grown without the region.
  Result<std::optional<Region>> NormThatItBreaks(const Region& region) const {
    for (const Node output : region.outputs) {
      const SiteRef sum = SumThatAloneReads(output);
      if (sum.site < 0 || order_.region(sites_.element(sum).results[0]) >= 0) continue;
      Result<Region> norm = GrowRegion(graph_, sites_, order_, sum, options_.grow);
      if (!norm) return Err(norm.error());
      if (norm->kept_because.empty() && !norm->all_gathers.empty() && Contains(norm->members, output)) {
        return std::optional<Region>(*std::move(norm));
      }
    }
    return std::optional<Region>();
  }

  // The all-reduce that is the only reader of a row sum; site -1 if that is not what it is.
  SiteRef SumThatAloneReads(Node node) const {
    const Span<Node> users = graph_.users(node);
    if (graph_.is_root(node) || users.size() != 1 || graph_.at(node).opcode != Opcode::kReduce) return {};
    return sites_.Find(users[0]);
  }

  static bool Contains(const std::vector<Node>& nodes, Node node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
  }

  // All-reduces read by slices alone, and neither math nor other collectives go with them: the compiler makes
  // reduce-scatters of them, and one of several.
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
  const SiteTable& sites_;
  const DecideOptions& options_;
  DependencyOrder& order_;
  Decisions decisions_;
};

}  // namespace

Result<Decisions> DecideRegions(const Graph& graph, const SiteTable& sites, const DecideOptions& options,
                                DependencyOrder* order) {
  return Decider(graph, sites, options, order).Run();
}

}  // namespace jax_oneshot
