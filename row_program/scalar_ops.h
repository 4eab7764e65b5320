// The exact f32 meaning of every elementwise operation, before the result is rounded to the statement's dtype.
#ifndef ROW_PROGRAM_SCALAR_OPS_H_
#define ROW_PROGRAM_SCALAR_OPS_H_

#include "row_program/row_program.h"

namespace jax_oneshot {

// The operands a statement does not have are ignored; pred is 0 or 1. `op` is elementwise: no source, no broadcast, no
// row reduction. `direction` matters to compare only.
float ApplyScalarOp(Op op, Direction direction, float x, float y, float z);

// NaN if either is NaN; +0 is greater than -0 (backends need not tell the two zeros apart).
float MaximumOf(float x, float y);
float MinimumOf(float x, float y);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_SCALAR_OPS_H_
