// How far behind an all-reduce everything is linear in it, and where its sum had best be taken. Only reads.
//
//   %a = all-reduce(%x); %g = gather(%a, ..); %m = multiply(%g, ..); %s = reduce(%m, 0); %n = norm(%s)
//   -> steps {%g, %m, %s}
#ifndef XLA_PASS_SUMS_LINEAR_CHAIN_H_
#define XLA_PASS_SUMS_LINEAR_CHAIN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/replication.h"
#include "xla_pass/sums/linear_step.h"

namespace jax_oneshot {

struct LinearChain {
  Node all_reduce = kNoNode;
  std::vector<Node> steps;  // each reads the one before it; the sum goes behind the last one
  std::vector<StepKind> kinds;
  bool is_wide = false;  // it is summed in f32, though it was not before
};

// None where the sum stays where it is.
std::optional<LinearChain> FindChain(const Graph& graph, Node all_reduce, ReplicationCache* replication);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_LINEAR_CHAIN_H_
