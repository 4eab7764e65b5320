#include "xla_pass/match/dependency_order.h"

#include <algorithm>
#include <climits>

namespace jax_oneshot {
namespace {

// Bounds one question. A decoder layer has some hundred instructions; a search past this is no longer local.
constexpr int kMaxSteps = 20000;

}  // namespace

DependencyOrder::DependencyOrder(const Graph& graph, int computation)
    : graph_(graph), first_(graph.node(computation, 0)) {
  const auto& instructions = graph.module().computations[computation].instructions;
  level_.resize(instructions.size(), 0);
  region_.resize(instructions.size(), -1);
  seen_in_.resize(instructions.size(), 0);
  for (size_t i = 0; i < instructions.size(); ++i) {
    for (int operand : instructions[i].operands) level_[i] = std::max(level_[i], level_[operand] + 1);
    for (int predecessor : instructions[i].control_predecessors) {
      level_[i] = std::max(level_[i], level_[predecessor] + 1);
    }
  }
}

template <typename Visit>
void DependencyOrder::ForEachPredecessor(Node node, Visit visit) const {
  const int region = region_[Local(node)];
  if (region >= 0) {
    for (Node input : region_inputs_[region]) visit(input);
    return;
  }
  const hlo::Instruction& instruction = graph_.at(node);
  for (int operand : instruction.operands) visit(first_ + operand);
  for (int predecessor : instruction.control_predecessors) visit(first_ + predecessor);
}

bool DependencyOrder::DependsOn(Node x, const NodeSet& set) const {
  if (set.Contains(x)) return true;
  int lowest = INT_MAX;
  for (Node member : set.keys()) lowest = std::min(lowest, level(member));
  if (level(x) <= lowest) return false;
  ++search_;
  stack_.assign(1, x);
  int steps = 0;
  while (!stack_.empty()) {
    const Node node = stack_.back();
    stack_.pop_back();
    if (++steps > kMaxSteps || set.Contains(node)) return true;
    if (level(node) <= lowest) continue;
    ForEachPredecessor(node, [&](Node predecessor) {
      int& seen_in = seen_in_[Local(predecessor)];
      if (level(predecessor) < lowest || seen_in == search_) return;
      seen_in = search_;
      stack_.push_back(predecessor);
    });
  }
  return false;
}

void DependencyOrder::Contract(const std::vector<Node>& members, const std::vector<Node>& inputs) {
  int level = 0;
  for (Node input : inputs) level = std::max(level, level_[Local(input)] + 1);
  const int region = static_cast<int>(region_members_.size());
  region_members_.push_back(members);
  region_inputs_.push_back(inputs);
  for (Node member : members) {
    region_[Local(member)] = region;
    level_[Local(member)] = level;
  }
  RaiseUsers(members);
}

void DependencyOrder::RaiseOne(Node node, int level, std::vector<Node>* raised) {
  if (level_[Local(node)] >= level) return;
  const int region = region_[Local(node)];
  if (region < 0) {
    level_[Local(node)] = level;
    raised->push_back(node);
    return;
  }
  for (Node member : region_members_[region]) {
    level_[Local(member)] = level;
    raised->push_back(member);
  }
}

void DependencyOrder::RaiseUsers(const std::vector<Node>& nodes) {
  std::vector<Node> work = nodes;
  while (!work.empty()) {
    const Node node = work.back();
    work.pop_back();
    const int own_region = region_[Local(node)];
    for (Node user : graph_.users(node)) {
      if (own_region >= 0 && region_[Local(user)] == own_region) continue;
      RaiseOne(user, level_[Local(node)] + 1, &work);
    }
  }
}

}  // namespace jax_oneshot
