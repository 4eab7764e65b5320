// SPDX-License-Identifier: Apache-2.0
// The instructions of a module as numbered nodes, with users, and a view through fusions and loops.
//
//   %f = fusion(%x, %g), calls=%fc        fused_computation(%f) = %fc
//   %fc { %p0 = parameter(0) ... }        Outer(%p0)            = %x
//
//   %w = while(tuple(.., %x)), body=%b    BeforeLoop(%g)        = %x, if %b passes element 1 through
//   %b { %g = get-tuple-element(parameter), index=1 ... }
//
// Only computations with exactly one caller are see-through.
#ifndef XLA_PASS_GRAPH_GRAPH_H_
#define XLA_PASS_GRAPH_GRAPH_H_

#include <vector>

#include "base/span.h"
#include "xla_pass/graph/ordered_set.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

// Index of an instruction within the module; -1: none.
using Node = int;
inline constexpr Node kNoNode = -1;

using NodeSet = OrderedSet<Node>;

class Graph {
 public:
  explicit Graph(const hlo::Module& module);

  const hlo::Module& module() const { return module_; }
  int size() const { return static_cast<int>(instructions_.size()); }
  const hlo::Instruction& at(Node node) const { return *instructions_[node]; }
  const hlo::Computation& computation_of(Node node) const { return module_.computations[computation_[node]]; }
  int computation_index(Node node) const { return computation_[node]; }
  Node node(int computation, int instruction) const { return first_[computation] + instruction; }
  Node operand(Node node, int i) const { return first_[computation_[node]] + at(node).operands[i]; }
  int operand_count(Node node) const { return static_cast<int>(at(node).operands.size()); }
  Node root(int computation) const { return node(computation, module_.computations[computation].root); }
  bool is_root(Node node) const { return root(computation_[node]) == node; }

  // The users within the node's computation, in ascending order, without duplicates.
  Span<Node> users(Node node) const {
    return {users_.data() + first_user_[node], static_cast<size_t>(user_count_[node])};
  }
  bool has_control_edges(Node node) const { return has_control_edges_[node]; }

  // The fusion or while that is the only caller of a computation, or kNoNode.
  Node caller(int computation) const { return caller_[computation]; }
  // The computation that a fusion calls, or -1 if it is not see-through.
  int fused_computation(Node fusion) const;
  // For a parameter of a see-through computation: the fusion's operand; else kNoNode.
  Node Outer(Node parameter) const;
  // For a get-tuple-element, in a loop body, of a state element that the loop never changes: its initial value; else
  // kNoNode.
  Node BeforeLoop(Node element) const;

 private:
  void LinkUsers(const hlo::Computation& computation);

  const hlo::Module& module_;
  std::vector<int> first_;  // by computation: its first node
  std::vector<int> computation_;
  std::vector<const hlo::Instruction*> instructions_;
  std::vector<Node> users_;      // of all nodes, concatenated
  std::vector<int> first_user_;  // by node: index of its first user
  std::vector<int> user_count_;  // by node
  std::vector<bool> has_control_edges_;
  std::vector<Node> caller_;  // by computation: its only caller, if that is a fusion or while
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_GRAPH_H_
