// Checks a row program from any source; the error lists every rule it breaks.
#ifndef ROW_PROGRAM_VALIDATE_H_
#define ROW_PROGRAM_VALIDATE_H_

#include "base/result.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

// Holds every backend's preconditions: at least one input that is exchanged, combined ones (sum/max/min) rows, gathered
// ones and shards varying over the width, ids in range and defined before
// use, operand counts, dtype and kind rules of row_program.h, each input read by exactly one statement, at least one
// output, at most kMaxInputs inputs / kMaxOutputs outputs / kMaxStatements statements.
inline constexpr int kMaxInputs = 64;
inline constexpr int kMaxOutputs = 32;
inline constexpr int kMaxStatements = 1024;

Result<void> ValidateRowProgram(const RowProgram& program);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_VALIDATE_H_
