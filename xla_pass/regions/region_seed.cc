// SPDX-License-Identifier: Apache-2.0
// Implementation of region_seed.h.
#include "xla_pass/regions/region_seed.h"

#include "xla_pass/translate/readable_operand.h"

namespace jax_oneshot {
namespace {

// Elements of one all-reduce in one call: each is a row that the kernels keep in registers.
constexpr size_t kMaxElementsTogether = 8;

}  // namespace

SumsSeed::SumsSeed(const Graph& graph, const SiteTable& table, const DependencyOrder& order,
                   const OverwrittenValues* overwritten, SiteRef first)
    : graph_(graph), table_(table), order_(order), overwritten_(overwritten) {
  sums_.seeds = {first};
  sums_.extent = {table.element(first).rows, table.element(first).width};
  const std::vector<SiteElement>& elements = table.site(first.site).elements;
  for (int e = first.element + 1; e < static_cast<int>(elements.size()); ++e) {
    const SiteElement& element = elements[e];
    if (element.results.empty() || order.region(element.results[0]) >= 0) continue;
    if (element.rows != sums_.extent.rows || element.width != sums_.extent.width) continue;
    if (sums_.seeds.size() < kMaxElementsTogether) sums_.seeds.push_back({first.site, e});
  }
  sums_.given = sums_.seeds.size();
}

void SumsSeed::AddTo(RowTranslator* translator) const {
  for (const SiteRef& seed : sums_.seeds) {
    const Site& site = table_.site(seed.site);
    const SiteElement& element = table_.element(seed);
    const Node operand =
        ReadableOperand(graph_, order_, overwritten_, graph_.operand(site.all_reduce, element.operand));
    translator->AddAllReduce(site.reducer, operand, element.results, element.dtype);
  }
}

NodeSet SumsSeed::members() const {
  NodeSet results;
  for (const SiteRef& seed : sums_.seeds) {
    for (Node result : table_.element(seed).results) results.Insert(result);
  }
  return results;
}

bool SumsSeed::Join(Node leaf, const NodeSet& inside) {
  const SiteRef found = FindSumBehind(leaf, sums_, inside, graph_, table_, order_);
  if (found.site < 0) return false;
  sums_.seeds.push_back(found);
  return true;
}

bool SumsSeed::DropUseless(const RowProgram& program) {
  if (sums_.seeds.size() == sums_.given) return false;
  const int useless = FindUselessSum(program, sums_.given);
  if (useless < 0) return false;
  sums_.rejected.push_back(sums_.seeds[useless]);
  sums_.seeds.erase(sums_.seeds.begin() + useless);
  return true;
}

}  // namespace jax_oneshot
