// SPDX-License-Identifier: Apache-2.0
// Which buffers may be overwritten while their values are still needed, in a module after copy insertion (XLA:CPU).
//
//   %x = parameter(0), donated;  %c = copy(%x);  %y = fusion(%c);  %z = add(%all-reduce, %c);  ROOT tuple(%y, %z)
//     -> %x may be overwritten, by %y, once %c is computed; %c is never: a call that computes %z must not read %x
//
// XLA's copy insertion proves that every reader of a buffer runs before its next writer. A reader that the pass adds,
// or delays, has no such proof, so it may only read buffers that nothing overwrites.
#ifndef XLA_PASS_GRAPH_OVERWRITTEN_VALUES_H_
#define XLA_PASS_GRAPH_OVERWRITTEN_VALUES_H_

#include <cstdint>
#include <set>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

class OverwrittenValues {
 public:
  explicit OverwrittenValues(const Graph& graph);

  // Errs on the side of true.
  bool MayBeOverwritten(Node node) const;

 private:
  bool HasWriter(Node node, int depth) const;
  bool IsPassedThrough(Node element) const;

  const Graph& graph_;
  std::set<int64_t> donated_;  // entry parameters
};

// True if no result of an instruction shares a buffer with an operand.
bool WritesItsOwnBuffer(const Graph& graph, Node node);

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_OVERWRITTEN_VALUES_H_
