// SPDX-License-Identifier: Apache-2.0
// Programs rewritten so that an intermediate value is returned or read from outside, to test the rule that a value is
// rounded before anything reads it (docs/row_program.md). For tests only.
//
//   v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = add x0, x0; x2: f32 row = exponential x1 }
//     ReturningValues(.., 0)  -> (x0: row, x1: row, x2: row)
//     ReadingValue(.., 1)     a1: local f32 row; x1: f32 row = load a1; x2: f32 row = exponential x1
//
// Given the first program's x1 as input, the second must return the same x2.
#ifndef ROW_PROGRAM_RETURNED_VALUES_H_
#define ROW_PROGRAM_RETURNED_VALUES_H_

#include "row_program/row_program.h"

namespace jax_oneshot {

// Returns the values from `first` on, up to the maximum number of outputs, each in its own kind.
RowProgram ReturningValues(RowProgram program, int first);

// Reads value `value` from a new last input instead of computing it.
RowProgram ReadingValue(RowProgram program, int value);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_RETURNED_VALUES_H_
