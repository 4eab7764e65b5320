// SPDX-License-Identifier: Apache-2.0
// Moves a sum over ranks after math that is linear in it, if that makes the message smaller or saves an exchange.
//
//   %a = bf16[48,4096] all-reduce(%x)
//   %g = bf16[48,4096] gather(%a, %indices)
//   %m = bf16[8,6,4096] multiply(reshape(%g), %weights)
//   %s = bf16[8,4096] reduce(%m, 0), dimensions={1}
//   ->
//   %g = bf16[48,4096] gather(%x, %indices)
//   %f = f32[48,4096] convert(%g)
//   %m = f32[8,6,4096] multiply(reshape(%f), convert(%weights))
//   %r = f32[8,4096] reduce(%m, 0), dimensions={1}
//   %a = f32[8,4096] all-reduce(%r)
//   %s = bf16[8,4096] convert(%a)
//
// Conditions:
//   - The sum and the values between its old and its new place have no other users.
//   - All other operands in between (weights, indices) are the same on all ranks of the sum (graph/replication).
//   - One of these holds:
//     - the message does not get larger, in f32 where the steps below require it;
//     - the sum ends up before a sum over other ranks, and both are folded (fold_sums.h);
//     - it ends up next to a sum over the same ranks and with as many elements, to which it is added, and both become
//       one call (regions/join_sums.h): in a layer with adapters, the low-rank product and the dense one.
//
// From the first arithmetic step on, ranks compute and exchange f32, and the result is rounded once, to its own type.
// Without the move, the sum and every step after it are rounded, so the result is at least as close to the exact one.
#ifndef XLA_PASS_SUMS_SINK_SUMS_H_
#define XLA_PASS_SUMS_SINK_SUMS_H_

#include "xla_pass/sums/stage.h"

namespace jax_oneshot {

StageResult SinkSums(const Graph& graph);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_SINK_SUMS_H_
