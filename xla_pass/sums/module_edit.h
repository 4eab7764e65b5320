// Collects changes to single instructions of a module and writes the module with them.
//
//   ModuleEdit edit(graph);
//   edit.SetOperands(%y, {%x});          %y reads %x from now on
//   edit.Replace(%b, bytes);             %b becomes another instruction of the same id
//   edit.InsertBefore(%c, bytes);        a new instruction in front of %c
//   edit.Remove(%a);                     nobody reads %a any more
//
// Several changes of operands and one replacement of the same instruction add up only in that order of precedence:
// a replaced instruction is written as replaced.
#ifndef XLA_PASS_SUMS_MODULE_EDIT_H_
#define XLA_PASS_SUMS_MODULE_EDIT_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

class ModuleEdit {
 public:
  explicit ModuleEdit(const Graph& graph) : graph_(graph) {}

  bool empty() const { return replaced_.empty() && inserted_.empty() && removed_.empty(); }
  // Changed, removed, or about to be: what a decision made on the unchanged graph must not lean on a second time.
  bool IsTouched(Node node) const { return replaced_.count(node) != 0 || removed_.count(node) != 0; }

  void SetOperands(Node node, const std::vector<Node>& operands);
  void Replace(Node node, std::string bytes) { replaced_[node] = std::move(bytes); }
  void InsertBefore(Node node, std::string bytes) { inserted_[node].push_back(std::move(bytes)); }
  void Remove(Node node) { removed_.insert(node); }
  void Keep(Node node) { removed_.erase(node); }  // takes a removal back

  // The whole module with all changes made.
  std::string Write() const;

 private:
  std::vector<int> FindUncalledNow() const;

  const Graph& graph_;
  std::map<Node, std::string> replaced_;
  std::map<Node, std::vector<std::string>> inserted_;
  std::set<Node> removed_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_MODULE_EDIT_H_
