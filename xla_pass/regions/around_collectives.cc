// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/around_collectives.h"

#include <algorithm>

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsCollective(const Graph& graph, Node node) {
  return graph.at(node).opcode == Opcode::kAllReduce || graph.at(node).opcode == Opcode::kAllGather;
}

}  // namespace

std::vector<Node> AroundCollectives(const Graph& graph, const std::vector<Node>& members) {
  NodeSet before, after;
  for (auto it = members.rbegin(); it != members.rend(); ++it) {
    const Span<Node> users = graph.users(*it);
    const bool is_needed = std::any_of(users.begin(), users.end(), [&](Node user) { return before.Contains(user); });
    if (is_needed || IsCollective(graph, *it)) before.Insert(*it);
  }
  std::vector<Node> kept;
  for (Node member : members) {
    bool follows = IsCollective(graph, member);
    for (int i = 0; i < graph.operand_count(member); ++i) follows |= after.Contains(graph.operand(member, i));
    if (follows) after.Insert(member);
    if (follows || before.Contains(member)) kept.push_back(member);
  }
  return kept;
}

}  // namespace jax_oneshot
