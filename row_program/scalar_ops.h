// SPDX-License-Identifier: Apache-2.0
// The exact f32 result of every elementwise operation, before it is rounded to the statement's dtype.
#ifndef ROW_PROGRAM_SCALAR_OPS_H_
#define ROW_PROGRAM_SCALAR_OPS_H_

#include "row_program/row_program.h"

namespace jax_oneshot {

// Excess operands are ignored; pred is 0 or 1. `op` must be elementwise: not a source, a broadcast or a row reduction.
// `direction` is used by compare only.
float ApplyScalarOp(Op op, Direction direction, float x, float y, float z);

// NaN if either is NaN; +0 is greater than -0 (backends need not distinguish the zeros).
float MaximumOf(float x, float y);
float MinimumOf(float x, float y);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_SCALAR_OPS_H_
