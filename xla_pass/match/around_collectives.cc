#include "xla_pass/match/around_collectives.h"

#include <algorithm>
#include <unordered_set>

namespace jax_oneshot {
namespace {

using hlo::Opcode;

bool IsCollective(const Graph& graph, Node node) {
  return graph.at(node).opcode == Opcode::kAllReduce || graph.at(node).opcode == Opcode::kAllGather;
}

}  // namespace

std::vector<Node> AroundCollectives(const Graph& graph, const std::vector<Node>& members) {
  std::unordered_set<Node> before, after;
  for (auto it = members.rbegin(); it != members.rend(); ++it) {
    const Span<Node> users = graph.users(*it);
    const bool is_needed = std::any_of(users.begin(), users.end(), [&](Node user) { return before.count(user) != 0; });
    if (is_needed || IsCollective(graph, *it)) before.insert(*it);
  }
  std::vector<Node> kept;
  for (Node member : members) {
    bool follows = IsCollective(graph, member);
    for (int i = 0; i < graph.operand_count(member); ++i) follows |= after.count(graph.operand(member, i)) != 0;
    if (follows) after.insert(member);
    if (follows || before.count(member) != 0) kept.push_back(member);
  }
  return kept;
}

}  // namespace jax_oneshot
