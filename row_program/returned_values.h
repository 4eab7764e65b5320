// Programs changed so that a value stands outside: the property tests of the rule that a value is rounded before
// anything reads it (docs/row_program.md). For tests only.
//
//   v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = add x0, x0; x2: f32 row = exponential x1 }
//     ReturningValues(.., 0)  -> (x0: row, x1: row, x2: row)
//     ReadingValue(.., 1)     a1: local f32 row; x1: f32 row = load a1; x2: f32 row = exponential x1
//
// Given what the first returned as x1, the second must return the same x2.
#ifndef ROW_PROGRAM_RETURNED_VALUES_H_
#define ROW_PROGRAM_RETURNED_VALUES_H_

#include "row_program/row_program.h"

namespace jax_oneshot {

// The values from `first` on, as many as a program may return, each in its own kind.
RowProgram ReturningValues(RowProgram program, int first);

// Value `value` is read from a new input, the last, instead of being computed.
RowProgram ReadingValue(RowProgram program, int value);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_RETURNED_VALUES_H_
