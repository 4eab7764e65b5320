// SPDX-License-Identifier: Apache-2.0
// Collects changes to single instructions and writes the changed module.
//
//   ModuleEdit edit(graph);
//   edit.SetOperands(%y, {%x});          %y now reads %x
//   edit.Replace(%b, bytes);             %b becomes another instruction with the same id
//   edit.InsertBefore(%c, bytes);        a new instruction before %c
//   edit.Remove(%a);                     %a has no users any more
//
// SetOperands and Replace of the same instruction do not add up: the last one wins.
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
  // Changed or removed: a decision made on the unchanged graph no longer holds for it.
  bool IsTouched(Node node) const { return replaced_.count(node) != 0 || removed_.count(node) != 0; }

  void SetOperands(Node node, const std::vector<Node>& operands);
  void Replace(Node node, std::string bytes) { replaced_[node] = std::move(bytes); }
  void InsertBefore(Node node, std::string bytes) { inserted_[node].push_back(std::move(bytes)); }
  void Remove(Node node) { removed_.insert(node); }
  void Keep(Node node) { removed_.erase(node); }  // undoes Remove

  // The module with all changes applied.
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
