// SPDX-License-Identifier: Apache-2.0
// Folds a sum over some ranks and a sum of that over other ranks into one sum over the product of the groups. XLA does
// the same after the pass, but not across a call.
//
//   %a = bf16[8,64] all-reduce(%x), mesh['expert'=2,'tensor'=4] {'tensor'}
//   %b = bf16[1,8,64] reshape(%a)
//   %s = bf16[1,8,64] all-reduce(%b), mesh['expert'=2,'tensor'=4] {'expert'}
//   ->
//   %b = bf16[1,8,64] reshape(%x)
//   %s = bf16[1,8,64] all-reduce(%b), replica_groups={{0,1,2,3,4,5,6,7}}
//
// The values in between must have no other users. If the type changes in between, the wider type is used for the sum:
//
//   f32 sum, convert, bf16 sum  ->  f32 sum, convert        bf16 sum, convert, f32 sum  ->  convert, f32 sum
//   f32 sum, convert to bf16 and back, f32 sum  ->  f32 sum
//   bf16 sum, convert to f32 and back, bf16 sum -> bf16 sum
//
// so no rounding is added, and the result is at least as close to the exact sum. Nested maxima and minima are folded in
// the same way.
#ifndef XLA_PASS_SUMS_FOLD_SUMS_H_
#define XLA_PASS_SUMS_FOLD_SUMS_H_

#include "xla_pass/sums/stage.h"

namespace jax_oneshot {

// One step: of three nested sums, folds the last two. Call it again until nothing changes.
StageResult FoldSums(const Graph& graph);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_FOLD_SUMS_H_
