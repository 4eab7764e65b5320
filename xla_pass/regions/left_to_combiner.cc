// SPDX-License-Identifier: Apache-2.0
// Implementation of left_to_combiner.h.
#include "xla_pass/regions/left_to_combiner.h"

#include <algorithm>
#include <numeric>

namespace jax_oneshot {
namespace {

// The collectives that a region's call replaces.
std::vector<Node> CollectivesOf(const Region& region, const SiteTable& sites) {
  std::vector<Node> collectives = region.inner_all_reduces;
  collectives.insert(collectives.end(), region.all_gathers.begin(), region.all_gathers.end());
  for (const SiteRef& seed : region.seeds) collectives.push_back(sites.site(seed.site).all_reduce);
  return collectives;
}

// Union-find of regions and the combined collectives that they take from.
class Components {
 public:
  explicit Components(size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }
  int Find(int i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void Join(int a, int b) { parent_[Find(a)] = Find(b); }

 private:
  std::vector<int> parent_;
};

}  // namespace

std::vector<LeftRegion> FindLeftToCombiner(const Graph& graph, const SiteTable& sites,
                                           const std::vector<Region>& regions, const std::vector<int>& combined) {
  if (regions.empty()) return {};
  const int combined_count = 1 + *std::max_element(combined.begin(), combined.end());
  const auto region_count = static_cast<int>(regions.size());
  const Node first = graph.node(graph.computation_index(sites.site(regions[0].seeds[0].site).all_reduce), 0);
  // Vertices: combined collectives, then regions.
  Components components(static_cast<size_t>(combined_count) + regions.size());
  std::vector<bool> touched(combined_count, false);
  std::vector<bool> is_taken(combined.size(), false);  // by instruction: replaced by a call
  for (int r = 0; r < region_count; ++r) {
    for (const Node collective : CollectivesOf(regions[r], sites)) {
      const int number = combined[collective - first];
      if (number < 0) continue;
      touched[number] = true;
      is_taken[collective - first] = true;
      components.Join(number, combined_count + r);
    }
  }
  // A combined collective still runs if some of its parts stay.
  std::vector<bool> stays(combined_count, false);
  for (size_t i = 0; i < combined.size(); ++i) {
    if (combined[i] >= 0 && !is_taken[i]) stays[combined[i]] = true;
  }
  std::vector<int> without(combined_count + region_count, 0);
  std::vector<int> with(combined_count + region_count, 0);
  for (int c = 0; c < combined_count; ++c) {
    if (!touched[c]) continue;
    ++without[components.Find(c)];
    if (stays[c]) ++with[components.Find(c)];
  }
  for (int r = 0; r < region_count; ++r) ++with[components.Find(combined_count + r)];
  std::vector<LeftRegion> left;
  for (int r = 0; r < region_count; ++r) {
    const int component = components.Find(combined_count + r);
    if (with[component] > without[component]) {
      left.push_back({static_cast<size_t>(r), without[component], with[component]});
    }
  }
  return left;
}

}  // namespace jax_oneshot
