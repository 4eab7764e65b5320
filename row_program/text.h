// The canonical one-line text of a row program, and its parser. The text is the custom-call's `program` attribute, the
// kernel cache key and what the report prints, so Parse(Print(p)) == p and Print(Parse(t)) is canonical.
//
//   v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: f32 row = convert x0 } -> (x1: row)
//
// Attributes of a statement follow its operands: `compare x1, x2, direction=LT`, `constant 1e-05` (shortest decimal
// that reads back to the same float; `nan`, `inf`, `-inf` spelled so), `load a3`. An output that lies in shards says
// so: `x1: row shard`.
#ifndef ROW_PROGRAM_TEXT_H_
#define ROW_PROGRAM_TEXT_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

std::string PrintRowProgram(const RowProgram& program);

// Parses and validates (see validate.h). An error names the statement, what was expected and what came. Accepts any
// amount of white space, newlines included.
Result<RowProgram> ParseRowProgram(std::string_view text);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_TEXT_H_
