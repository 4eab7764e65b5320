// Which instructions may run once more than they did, somewhere else: pure ones, whose result only their operands
// decide. Beside what is computed row by row, that includes collectives: all ranks of a group go round together.
//
//   add, convert, reshape, broadcast, reduce, all-reduce, all-gather, dynamic-slice    movable
//   fusion of such                                                                     movable
//   dot, custom-call, rng, infeed, dynamic-update-slice, anything ordered by control   not
#ifndef XLA_PASS_ROTATE_MOVABLE_H_
#define XLA_PASS_ROTATE_MOVABLE_H_

#include <vector>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

class Movable {
 public:
  explicit Movable(const Graph& graph);

  bool operator()(Node node);
  // It is a reduction, a collective, or a fusion that holds a reduction: too much to compute twice.
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
