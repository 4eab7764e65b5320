// In:  a valid RowProgram. Out: whether the CPU engine should carry its values in double.
//
// An f32 result at the end of several f32 operations was rounded by each of them. XLA's own code rounds as often, but
// elsewhere (it contracts a*b+c, it sums rows in another order), so either result may be the worse one by a unit or
// two in the last place. Carried in double, ours is rounded once and is never the worse by more than that rounding:
//
//   x9: f32 row = multiply x3, x8;  x11: f32 row = add x9, x10  -> (x11: row)    double: two roundings become one
//   ...; x12: bf16 row = convert x11                            -> (x12: row)    float: f32's roundings vanish in
//   bf16's
//
// Programs that ask what f32 can tell (comparisons, is_finite, floor) or call libm stay in f32, where the answers are
// HLO's own.
#ifndef FFI_KERNELS_CPU_PRECISION_H_
#define FFI_KERNELS_CPU_PRECISION_H_

#include "ffi_kernels/row_program/row_program.h"

namespace jax_oneshot {

bool PrefersDouble(const RowProgram& program);

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_PRECISION_H_
