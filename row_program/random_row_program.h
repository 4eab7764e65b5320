// SPDX-License-Identifier: Apache-2.0
// For tests: valid random row programs, which depend only on the seed.
#ifndef ROW_PROGRAM_RANDOM_ROW_PROGRAM_H_
#define ROW_PROGRAM_RANDOM_ROW_PROGRAM_H_

#include <cstdint>

#include "row_program/row_program.h"

namespace jax_oneshot {

// 1 to 3 combined and 0 to 4 local inputs, up to 24 random operations, 1 to 3 outputs. A few hundred seeds cover every
// operation, dtype and kind.
RowProgram RandomRowProgram(uint32_t seed);

// The same with 1 to 3 gathered inputs, possibly no combined input, and outputs that may be shards.
RowProgram RandomShardedRowProgram(uint32_t seed);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_RANDOM_ROW_PROGRAM_H_
