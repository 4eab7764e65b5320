// SPDX-License-Identifier: Apache-2.0
// Which instructions may be executed one more time, elsewhere: pure ones, whose result depends only on their operands.
// Besides row-wise math this includes collectives, because all ranks of a group iterate together.
//
//   add, convert, reshape, broadcast, reduce, all-reduce, all-gather, dynamic-slice    movable
//   fusion of only such instructions                                                   movable
//   dot, custom-call, rng, infeed, dynamic-update-slice, anything with control edges   not
#ifndef XLA_PASS_ROTATE_MOVABLE_H_
#define XLA_PASS_ROTATE_MOVABLE_H_

#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

class Movable {
 public:
  explicit Movable(const Graph& graph);

  bool operator()(Node node);
  // True for a reduction, a collective, or a fusion with a reduction: too expensive to compute twice.
  bool IsCostly(Node node);

 private:
  struct Fused {
    bool is_known = false, is_movable = false, is_costly = false;
  };
  const Fused& Look(int computation);

  const Graph& graph_;
  std::vector<Fused> fused_;  // by computation
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_MOVABLE_H_
