// SPDX-License-Identifier: Apache-2.0
// Answers "would fusing these instructions create a cycle?" for a computation with the regions accepted so far.
//
//   {%ar, %y, %n} accepted, reads %d and %x    ->  one node, after %d and %x, before the other users of %ar, %y, %n
//
// The level of a node is greater than the levels of its operands. An accepted region counts as one node whose operands
// are those of its call, whatever its members read in the module; its members share its level. A backward search from x
// to a set can therefore stop at the set's lowest level, which keeps each query local.
#ifndef XLA_PASS_GRAPH_DEPENDENCY_ORDER_H_
#define XLA_PASS_GRAPH_DEPENDENCY_ORDER_H_

#include <unordered_map>
#include <utility>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/step_budget.h"

namespace jax_oneshot {

class DependencyOrder {
 public:
  DependencyOrder(const Graph& graph, int computation, StepBudget* steps);

  int level(Node node) const { return level_[Local(node)]; }

  // True if `x` is in `set` or reachable from it. Gives up after a fixed number of steps, or when the budget is spent,
  // and then answers true, which is the safe answer.
  bool DependsOn(Node x, const NodeSet& set) const;

  // From now on `members` are one node with operands `inputs`. Returns false and changes nothing if that node would
  // depend on itself, or if the budget runs out before this is ruled out.
  [[nodiscard]] bool Contract(const std::vector<Node>& members, const std::vector<Node>& inputs);

  // The accepted region that a node belongs to, or -1.
  int region(Node node) const { return region_[Local(node)]; }
  // Whether the call of an accepted region reads the node. Reads by its members in the module do not count.
  bool IsReadByRegion(Node node) const { return readers_.count(node) != 0; }

  StepBudget* steps() const { return steps_; }

  // Drops all accepted regions.
  void Forget();

 private:
  using OldLevels = std::unordered_map<Node, int>;

  int Local(Node node) const { return node - first_; }
  template <typename Visit>
  void ForEachPredecessor(Node node, Visit visit) const;
  template <typename Visit>
  void ForEachSuccessor(Node node, Visit visit) const;
  void SetLevel(Node node, int level, OldLevels* old_levels);
  bool RaiseBehind(int region, OldLevels* old_levels);
  void DropLastRegion(const OldLevels& old_levels);

  const Graph& graph_;
  int computation_;
  Node first_;
  StepBudget* steps_;
  std::vector<int> level_;
  std::vector<int> region_;
  std::vector<std::vector<Node>> members_;              // by region
  std::vector<std::vector<Node>> inputs_;               // by region
  std::unordered_map<Node, std::vector<int>> readers_;  // by node: the regions whose calls read it
  std::unordered_map<Node, std::vector<Node>> control_successors_;

  // Scratch of DependsOn: the last search that visited each node. Kept to avoid allocations.
  mutable int search_ = 0;
  mutable std::vector<int> seen_in_;
  mutable std::vector<Node> stack_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_DEPENDENCY_ORDER_H_
