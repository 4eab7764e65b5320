// SPDX-License-Identifier: Apache-2.0
// The scalar reference: evaluates a row program for one rank, given the input buffers of all ranks. Slow and simple; it
// defines the results that every backend must reproduce.
#ifndef ROW_PROGRAM_EVALUATE_H_
#define ROW_PROGRAM_EVALUATE_H_

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

// How a maximum or minimum over ranks treats NaN, and zeros of both signs. Each backend follows XLA's own all-reduce on
// its platform.
enum class Extremes : uint8_t {
  kLikeXlaCpu,  // of several zeros the first rank's; NaN is ignored, and all NaN gives the identity (-inf, inf)
  kLikeNccl,    // +0 is larger than -0; NaN is ignored, and all NaN gives NaN
};

struct EvaluateRequest {
  int64_t rows = 0;
  int64_t width = 0;  // a multiple of the number of ranks if HasShards(program)
  // inputs[rank][i]: row-major bytes of input i on that rank: [rows, width], [rows], [width] or one element, by kind.
  // For sharded inputs and outputs, width is the width of a shard.
  std::vector<std::vector<const void*>> inputs;
  Extremes extremes = Extremes::kLikeXlaCpu;
  int rank = 0;  // the rank whose local inputs are read and whose shards are stored
  std::vector<void*> outputs;
};

// Number of elements of a buffer of `kind`.
int64_t ElementCount(Kind kind, int64_t rows, int64_t width);

// Size of one rank's buffer, which may hold a shard.
int64_t ElementCount(const Input& input, int64_t rows, int64_t width, int64_t ranks);
int64_t ElementCount(const Output& output, int64_t rows, int64_t width, int64_t ranks);

void EvaluateRowProgram(const RowProgram& program, const EvaluateRequest& request);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_EVALUATE_H_
