// SPDX-License-Identifier: Apache-2.0
// Common types of the stages in this folder: a stage reads a graph, collects changes to it, and reports the all-reduces
// that it removed.
#ifndef XLA_PASS_SUMS_STAGE_H_
#define XLA_PASS_SUMS_STAGE_H_

#include <string>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/sums/module_edit.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// An all-reduce that a stage removed from the module.
struct MovedSum {
  Node all_reduce = kNoNode;
  Node into = kNoNode;  // the all-reduce that replaces it; kNoNode: none is needed
  Reason why;
};

struct StageResult {
  explicit StageResult(const Graph& graph) : edit(graph) {}
  ModuleEdit edit;
  std::vector<MovedSum> moved;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_STAGE_H_
