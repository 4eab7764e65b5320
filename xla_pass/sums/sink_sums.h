// Moves a sum over ranks behind what is linear in it, where less is exchanged there or one exchange less is left.
//
//   %a = bf16[48,4096] all-reduce(%x)                        %g = bf16[48,4096] gather(%x, %indices)
//   %g = bf16[48,4096] gather(%a, %indices)                  %f = f32[48,4096] convert(%g)
//   %m = bf16[8,6,4096] multiply(reshape(%g), %weights)  ->  %m = f32[8,6,4096] multiply(reshape(%f),
//   convert(%weights)) %s = bf16[8,4096] reduce(%m, 0), dimensions={1}          %r = f32[8,4096] reduce(%m, 0),
//   dimensions={1}
//                                                            %a = f32[8,4096] all-reduce(%r)
//                                                            %s = bf16[8,4096] convert(%a)
//
// The rule:
//   - Nobody else reads the sum, or anything between it and where it goes.
//   - What else is read in between (weights, indices) is the same on all ranks of the sum (graph/replication).
//   - From the first arithmetic on, each rank computes in f32, exchanges f32, and the result is rounded once, to its
//   own
//     type. Before, the sum and every step after it were rounded. So the result is at least as close to the exact one.
//   - The message has no more bytes than before, all of that included; or
//   - the sum comes to stand in front of a sum over other ranks, and both become one (fold_sums.h); or
//   - it comes to stand beside a sum over the same ranks of as many elements to which it is added, and both become one
//     call (regions/join_sums.h): the low-rank product beside the dense one, of a layer with adapters.
#ifndef XLA_PASS_SUMS_SINK_SUMS_H_
#define XLA_PASS_SUMS_SINK_SUMS_H_

#include "xla_pass/sums/stage.h"

namespace jax_oneshot {

StageResult SinkSums(const Graph& graph);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_SINK_SUMS_H_
