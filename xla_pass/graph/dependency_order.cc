// SPDX-License-Identifier: Apache-2.0
// Implementation of dependency_order.h.
#include "xla_pass/graph/dependency_order.h"

#include <algorithm>
#include <climits>
#include <functional>

namespace jax_oneshot {
namespace {

// Bounds one query. A decoder layer has a few hundred instructions, so a longer search is no longer local.
constexpr int kMaxSteps = 20000;

}  // namespace

DependencyOrder::DependencyOrder(const Graph& graph, int computation, StepBudget* steps)
    : graph_(graph), computation_(computation), first_(graph.node(computation, 0)), steps_(steps) {
  const auto& instructions = graph.module().computations[computation].instructions;
  seen_in_.resize(instructions.size(), 0);
  for (size_t i = 0; i < instructions.size(); ++i) {
    for (int predecessor : instructions[i].control_predecessors) {
      control_successors_[first_ + predecessor].push_back(first_ + static_cast<Node>(i));
    }
  }
  Forget();
}

void DependencyOrder::Forget() {
  const auto& instructions = graph_.module().computations[computation_].instructions;
  level_.assign(instructions.size(), 0);
  region_.assign(instructions.size(), -1);
  members_.clear();
  inputs_.clear();
  readers_.clear();
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
    for (Node input : inputs_[region]) visit(input);
    return;
  }
  const hlo::Instruction& instruction = graph_.at(node);
  for (int operand : instruction.operands) visit(first_ + operand);
  for (int predecessor : instruction.control_predecessors) visit(first_ + predecessor);
}

// Successors of a single node, not of the region that it may belong to. A region that reads it is visited as its first
// member.
template <typename Visit>
void DependencyOrder::ForEachSuccessor(Node node, Visit visit) const {
  for (Node user : graph_.users(node)) {
    if (region_[Local(user)] < 0) visit(user);
  }
  if (const auto control = control_successors_.find(node); control != control_successors_.end()) {
    for (Node successor : control->second) {
      if (region_[Local(successor)] < 0) visit(successor);
    }
  }
  if (const auto readers = readers_.find(node); readers != readers_.end()) {
    for (int region : readers->second) visit(members_[region].front());
  }
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
    if (++steps > kMaxSteps || !steps_->Spend() || set.Contains(node)) return true;
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

bool DependencyOrder::Contract(const std::vector<Node>& members, const std::vector<Node>& inputs) {
  if (members.empty()) return false;
  int level = 0;
  for (Node input : inputs) level = std::max(level, level_[Local(input)] + 1);
  const int region = static_cast<int>(members_.size());
  members_.push_back(members);
  inputs_.push_back(inputs);
  for (Node input : inputs) readers_[input].push_back(region);
  for (Node member : members) region_[Local(member)] = region;
  OldLevels old_levels;
  SetLevel(members.front(), level, &old_levels);
  if (RaiseBehind(region, &old_levels)) return true;
  DropLastRegion(old_levels);
  return false;
}

// All members of a region have the same level.
void DependencyOrder::SetLevel(Node node, int level, OldLevels* old_levels) {
  const int region = region_[Local(node)];
  const auto set = [&](Node one) {
    old_levels->emplace(one, level_[Local(one)]);  // emplace keeps the first, oldest level
    level_[Local(one)] = level;
  };
  if (region < 0) return set(node);
  for (Node member : members_[region]) set(member);
}

// Raises everything that depends on the region to a level above it, lowest level first. There was no cycle before the
// region was added, so any cycle now leads back to the region. Each visit raises a level, and no level can exceed the
// number of nodes plus the previous number of levels.
bool DependencyOrder::RaiseBehind(int region, OldLevels* old_levels) {
  std::vector<std::pair<int, Node>> heap;
  const auto push = [&](Node node) {
    heap.emplace_back(level(node), node);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  const auto push_all = [&](Node node) {
    if (region_[Local(node)] < 0) return push(node);
    for (Node member : members_[region_[Local(node)]]) push(member);
  };
  push_all(members_[region].front());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto [level_then, node] = heap.back();
    heap.pop_back();
    if (level_then != level(node)) continue;  // raised since; the heap has a newer entry
    bool ok = true;
    ForEachSuccessor(node, [&, own_level = level_then](Node successor) {
      ok &= steps_->Spend() && region_[Local(successor)] != region;
      if (!ok || level(successor) > own_level) return;
      SetLevel(successor, own_level + 1, old_levels);
      push_all(successor);
    });
    if (!ok) return false;
  }
  return true;
}

void DependencyOrder::DropLastRegion(const OldLevels& old_levels) {
  for (const auto& [node, level] : old_levels) level_[Local(node)] = level;
  for (Node member : members_.back()) region_[Local(member)] = -1;
  for (Node input : inputs_.back()) {
    const auto readers = readers_.find(input);
    readers->second.pop_back();
    if (readers->second.empty()) readers_.erase(readers);
  }
  members_.pop_back();
  inputs_.pop_back();
}

}  // namespace jax_oneshot
