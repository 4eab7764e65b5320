// In:  a computation's nodes and the regions accepted so far. Out: the answer to "would fusing these make a cycle?".
//
// Every node has a level greater than its operands' levels. An accepted region counts as one node, with the operands
// of the call it becomes; its members share its level. A search for a path backwards from x to a set can therefore
// stop at the set's lowest level, which keeps each question local.
#ifndef XLA_PASS_MATCH_DEPENDENCY_ORDER_H_
#define XLA_PASS_MATCH_DEPENDENCY_ORDER_H_

#include <vector>

#include "xla_pass/match/graph.h"

namespace jax_oneshot {

class DependencyOrder {
 public:
  DependencyOrder(const Graph& graph, int computation);

  int level(Node node) const { return level_[Local(node)]; }

  // True when `x` is in `set` or can be reached from it. Gives up after a fixed number of steps and then answers
  // true, the safe side.
  bool DependsOn(Node x, const NodeSet& set) const;

  // From now on `members` are one node whose operands are `inputs`. No input may depend on a member.
  void Contract(const std::vector<Node>& members, const std::vector<Node>& inputs);

  // Which accepted region a node belongs to, or -1.
  int region(Node node) const { return region_[Local(node)]; }

 private:
  int Local(Node node) const { return node - first_; }
  template <typename Visit>
  void ForEachPredecessor(Node node, Visit visit) const;
  void RaiseUsers(const std::vector<Node>& nodes);
  void RaiseOne(Node node, int level, std::vector<Node>* raised);

  const Graph& graph_;
  Node first_;
  std::vector<int> level_;
  std::vector<int> region_;
  std::vector<std::vector<Node>> region_members_;
  std::vector<std::vector<Node>> region_inputs_;

  // Of DependsOn: which search saw a node last. Kept, so that a question costs no allocation.
  mutable int search_ = 0;
  mutable std::vector<int> seen_in_;
  mutable std::vector<Node> stack_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_MATCH_DEPENDENCY_ORDER_H_
