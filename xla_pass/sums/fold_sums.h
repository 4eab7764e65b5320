// A sum over some ranks, then over others, becomes one sum over the product of the groups. XLA does the same after the
// pass, unless a call stands between.
//
//   %a = bf16[8,64] all-reduce(%x), mesh['expert'=2,'tensor'=4] {'tensor'}
//   %b = bf16[1,8,64] reshape(%a)
//   %s = bf16[1,8,64] all-reduce(%b), mesh['expert'=2,'tensor'=4] {'expert'}
//   ->
//   %b = bf16[1,8,64] reshape(%x)
//   %s = bf16[1,8,64] all-reduce(%b), replica_groups={{0,1,2,3,4,5,6,7}}
//
// Nobody else may read what stands between. Where the type changes there, the sum is taken in the wider one:
//
//   f32 sum, convert, bf16 sum  ->  f32 sum, convert        bf16 sum, convert, f32 sum  ->  convert, f32 sum
//   f32 sum, convert to bf16 and back, f32 sum  ->  f32 sum
//   bf16 sum, convert to f32 and back, bf16 sum -> bf16 sum
//
// so nothing is rounded that was not rounded before, and the result is at least as close to the exact sum. Maxima of
// maxima and minima of minima fold likewise.
#ifndef XLA_PASS_SUMS_FOLD_SUMS_H_
#define XLA_PASS_SUMS_FOLD_SUMS_H_

#include "xla_pass/sums/stage.h"

namespace jax_oneshot {

// One step: of three sums in a row the last two. To be called again until nothing changes.
StageResult FoldSums(const Graph& graph);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_FOLD_SUMS_H_
