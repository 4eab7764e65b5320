// Answers "would fusing these instructions create a cycle?" for a computation with the regions accepted so far.
//
//   {%ar, %y, %n} accepted, reads %d and %x    ->  one node between {%d, %x} and what reads %ar, %y or %n outside
//
// Every node has a level greater than its operands' levels. An accepted region counts as one node, with the operands
// of the call it becomes, whatever its members read in the module; its members share its level. A search for a path
// backwards from x to a set can therefore stop at the set's lowest level, which keeps each question local.
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

  // True when `x` is in `set` or can be reached from it. Gives up after a fixed number of steps, or when the budget is
  // spent, and then answers true, the safe side.
  bool DependsOn(Node x, const NodeSet& set) const;

  // From now on `members` are one node whose operands are `inputs`. False, and nothing has changed, where that node
  // would depend on itself or the budget is spent before it is known not to.
  [[nodiscard]] bool Contract(const std::vector<Node>& members, const std::vector<Node>& inputs);

  // Which accepted region a node belongs to, or -1.
  int region(Node node) const { return region_[Local(node)]; }
  // Whether an accepted region's call reads the node. That a member reads it in the module means nothing.
  bool IsReadByRegion(Node node) const { return readers_.count(node) != 0; }

  StepBudget* steps() const { return steps_; }

  // No region is accepted any more.
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
  std::unordered_map<Node, std::vector<int>> readers_;  // the regions whose calls read a node
  std::unordered_map<Node, std::vector<Node>> control_successors_;

  // Of DependsOn: which search saw a node last. Kept, so that a question costs no allocation.
  mutable int search_ = 0;
  mutable std::vector<int> seen_in_;
  mutable std::vector<Node> stack_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_DEPENDENCY_ORDER_H_
