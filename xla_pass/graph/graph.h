// The instructions of a module as numbered nodes, with users, and a view through fusions and loops.
//
//   %f = fusion(%x, %g), calls=%fc        Node of %f's root  = Inner(%f)
//   %fc { %p0 = parameter(0) ... }        Outer(%p0)         = Node of %x
//
//   %w = while(tuple(.., %x)), body=%b    BeforeLoop(%g)     = Node of %x, if %b hands element 1 on as it is
//   %b { %g = get-tuple-element(parameter), index=1 ... }
//
// A computation that exactly one fusion calls is see-through; any other computation's parameters are just that.
#ifndef XLA_PASS_GRAPH_GRAPH_H_
#define XLA_PASS_GRAPH_GRAPH_H_

#include <vector>

#include "base/span.h"
#include "xla_pass/graph/ordered_set.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

// Number of an instruction within the module; -1: none.
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

  // Users within the node's own computation, ascending, each once.
  Span<Node> users(Node node) const {
    return {users_.data() + first_user_[node], static_cast<size_t>(user_count_[node])};
  }
  bool has_control_edges(Node node) const { return has_control_edges_[node]; }

  // The one fusion or while that calls a computation, or kNoNode.
  Node caller(int computation) const { return caller_[computation]; }
  // The computation a fusion stands for, or -1 when it is not see-through.
  int fused_computation(Node fusion) const;
  // The one instruction in the module that calls a computation, if it is a fusion or a while. Else kNoNode.
  Node only_caller(int computation) const { return caller_[computation]; }
  // For a parameter of a see-through computation: the fusion's operand. Else kNoNode.
  Node Outer(Node parameter) const;
  // For an element of a loop's state that the loop never changes, read in its body: where it comes from. Else kNoNode.
  Node BeforeLoop(Node element) const;

 private:
  void LinkUsers(const hlo::Computation& computation);

  const hlo::Module& module_;
  std::vector<int> first_;  // by computation: its first node
  std::vector<int> computation_;
  std::vector<const hlo::Instruction*> instructions_;
  std::vector<Node> users_;      // of all nodes, one after the other
  std::vector<int> first_user_;  // by node: where its users begin
  std::vector<int> user_count_;  // by node
  std::vector<bool> has_control_edges_;
  std::vector<Node> caller_;  // by computation: the one fusion or while that calls it, or kNoNode
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_GRAPH_H_
