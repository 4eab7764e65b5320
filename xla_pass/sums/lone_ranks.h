// SPDX-License-Identifier: Apache-2.0
// Turns all-reduces in groups of one rank into copies, so that regions grow through them.
//
//   %a = f32[8,64] all-reduce(%x), replica_groups={{0},{1}}        %a = f32[8,64] copy(%x)
//   %t = (f32[8], f32[4]) all-reduce(%x, %y), {{0},{1}}         -> %e = f32[4] copy(%y)
//   %e = f32[4] get-tuple-element(%t), index=1
#ifndef XLA_PASS_SUMS_LONE_RANKS_H_
#define XLA_PASS_SUMS_LONE_RANKS_H_

#include "xla_pass/sums/stage.h"

namespace jax_oneshot {

StageResult DropLoneRanks(const Graph& graph);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_LONE_RANKS_H_
