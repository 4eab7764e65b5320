// What the stages in this folder have in common: each reads one graph, collects changes to it, and says what became of
// the all-reduces that are gone.
#ifndef XLA_PASS_SUMS_STAGE_H_
#define XLA_PASS_SUMS_STAGE_H_

#include <string>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/sums/module_edit.h"

namespace jax_oneshot {

// An all-reduce that a stage took out of the module.
struct MovedSum {
  Node all_reduce = kNoNode;
  Node into = kNoNode;  // the all-reduce that does its work; kNoNode: there was none to do
  std::string why;      // one of verdict/reasons.h
};

struct StageResult {
  explicit StageResult(const Graph& graph) : edit(graph) {}
  ModuleEdit edit;
  std::vector<MovedSum> moved;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_STAGE_H_
