// For tests: a valid random row program, the same for the same seed on every machine.
#ifndef ROW_PROGRAM_RANDOM_ROW_PROGRAM_H_
#define ROW_PROGRAM_RANDOM_ROW_PROGRAM_H_

#include <cstdint>

#include "row_program/row_program.h"

namespace jax_oneshot {

// 1 to 3 combined and 0 to 4 local inputs, up to 24 random operations, 1 to 3 outputs; every operation, dtype and kind
// comes up over a few hundred seeds.
RowProgram RandomRowProgram(uint32_t seed);

// The same with 1 to 3 gathered inputs, sometimes none combined, and with outputs that may be shards.
RowProgram RandomShardedRowProgram(uint32_t seed);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_RANDOM_ROW_PROGRAM_H_
