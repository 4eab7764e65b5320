// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/join_sums.h"

#include <algorithm>

#include "xla_pass/graph/op_table.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Bounds the search from an operand to another all-reduce (through biases, converts and reshapes).
constexpr size_t kMaxSteps = 16;

bool IsPassed(Opcode opcode) {
  return ElementwiseOp(opcode) || IsMove(opcode) || opcode == Opcode::kFusion ||
         opcode == Opcode::kDynamicSlice;  // of the rank's columns
}

bool Holds(const std::vector<SiteRef>& list, const SiteRef& ref) {
  return std::find(list.begin(), list.end(), ref) != list.end();
}

bool CanJoin(Node result, const SiteRef& ref, const GrowingSums& sums, const NodeSet& inside, const Graph& graph,
             const SiteTable& sites, const DependencyOrder& order) {
  if (order.region(result) >= 0 || Holds(sums.rejected, ref) || Holds(sums.seeds, ref)) return false;
  const Site& site = sites.site(ref.site);
  const SiteElement& element = sites.element(ref);
  if (site.reducer != Reducer::kSum || !(site.groups == sites.site(sums.seeds[0].site).groups) ||
      element.rows != sums.extent.rows || element.width != sums.extent.width) {
    return false;
  }
  // The sums must not depend on each other.
  const auto operand_of = [&](const SiteRef& sum) {
    return graph.operand(sites.site(sum.site).all_reduce, sites.element(sum).operand);
  };
  if (order.DependsOn(operand_of(ref), inside)) return false;
  NodeSet results;
  for (Node other : element.results) results.Insert(other);
  return std::none_of(sums.seeds.begin(), sums.seeds.end(),
                      [&](const SiteRef& seed) { return order.DependsOn(operand_of(seed), results); });
}

}  // namespace

SiteRef FindSumBehind(Node value, const GrowingSums& sums, const NodeSet& inside, const Graph& graph,
                      const SiteTable& sites, const DependencyOrder& order) {
  std::vector<Node> stack = {value};
  NodeSet seen;  // operands reached from `value`
  while (!stack.empty() && seen.size() < kMaxSteps && order.steps()->Spend()) {
    const Node node = stack.back();
    stack.pop_back();
    const SiteRef ref = sites.Find(node);
    if (ref.site >= 0) {
      if (CanJoin(node, ref, sums, inside, graph, sites, order)) return ref;
      continue;
    }
    if (order.region(node) >= 0 || !IsPassed(graph.at(node).opcode)) continue;
    for (int i = 0; i < graph.operand_count(node); ++i) {
      if (seen.Insert(graph.operand(node, i))) stack.push_back(graph.operand(node, i));
    }
  }
  return {};
}

int FindUselessSum(const RowProgram& program, size_t given) {
  const std::vector<Statement>& statements = program.statements;
  // Union-find of values connected through operands. Constants connect nothing.
  std::vector<int> group(statements.size());
  for (size_t i = 0; i < group.size(); ++i) group[i] = static_cast<int>(i);
  const auto find = [&](int i) {
    while (group[i] != i) i = group[i] = group[group[i]];
    return i;
  };
  std::vector<int> sums;
  for (int i = 0; i < static_cast<int>(statements.size()); ++i) {
    if (statements[i].op == Op::kAllReduce) sums.push_back(i);
    if (statements[i].op == Op::kConstant) continue;
    for (int operand : statements[i].operands) {
      if (operand >= 0 && statements[operand].op != Op::kConstant) group[find(operand)] = find(i);
    }
  }
  for (size_t sum = 1; sum < std::min(given, sums.size()); ++sum) group[find(sums[sum])] = find(sums[0]);
  for (size_t sum = given; sum < sums.size(); ++sum) {
    if (find(sums[sum]) != find(sums[0])) return static_cast<int>(sum);
  }
  return -1;
}

}  // namespace jax_oneshot
