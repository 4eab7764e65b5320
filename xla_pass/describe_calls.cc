// SPDX-License-Identifier: Apache-2.0
// Implementation of describe_calls.h.
#include "xla_pass/describe_calls.h"

#include <algorithm>
#include <string>
#include <unordered_set>

namespace jax_oneshot {
namespace {

using Nodes = std::unordered_set<Node>;

// The all-reduces that a region's call performs.
std::vector<Node> AllReducesOf(const Region& region, const SiteTable& sites) {
  NodeSet found;
  for (const SiteRef& seed : region.seeds) found.Insert(sites.site(seed.site).all_reduce);
  for (const Node inner : region.inner_all_reduces) found.Insert(inner);
  return found.keys();
}

// The region's members and all-reduces, and what was removed because only they read it.
std::vector<Node> ReplacedBy(const Graph& graph, const Region& region, const std::vector<Node>& all_reduces,
                             const Nodes& removed, const Nodes& absorbed) {
  NodeSet found;
  for (const Node all_reduce : all_reduces) found.Insert(all_reduce);
  for (const Node member : region.members) found.Insert(member);
  for (size_t i = 0; i < found.size(); ++i) {
    const Node node = found.keys()[i];
    for (int k = 0; k < graph.operand_count(node); ++k) {
      const Node operand = graph.operand(node, k);
      if (removed.count(operand) != 0 && absorbed.count(operand) == 0) found.Insert(operand);
    }
  }
  std::vector<Node> sorted = found.keys();
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

NamedValue Named(const hlo::Instruction& instruction) {
  return {std::string(instruction.name), instruction.shape->ToString()};
}

}  // namespace

std::vector<CallReport> DescribeCalls(const Graph& graph, const SiteTable& sites, const std::vector<Region>& regions,
                                      const RewrittenComputation& written) {
  const Nodes removed(written.removed.begin(), written.removed.end());
  Nodes absorbed;
  for (const Region& region : regions) {
    absorbed.insert(region.members.begin(), region.members.end());
    for (const Node all_reduce : AllReducesOf(region, sites)) absorbed.insert(all_reduce);
  }
  std::vector<CallReport> calls;
  for (size_t r = 0; r < regions.size(); ++r) {
    const Region& region = regions[r];
    CallReport call;
    call.name = written.call_names[r];
    for (const CallOperand& operand : region.operands) call.reads.push_back(Named(graph.at(operand.node)));
    for (const Node output : region.outputs) call.returns.push_back(Named(graph.at(output)));
    call.outputs = region.output_indices;
    const std::vector<Node> all_reduces = AllReducesOf(region, sites);
    for (const Node all_reduce : all_reduces) call.all_reduces.emplace_back(graph.at(all_reduce).name);
    for (const Node node : ReplacedBy(graph, region, all_reduces, removed, absorbed)) {
      call.replaces.emplace_back(graph.at(node).name);
      const int fused = graph.fused_computation(node);
      if (fused >= 0) call.fused_computations.emplace_back(graph.module().computations[fused].name);
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace jax_oneshot
