// SPDX-License-Identifier: Apache-2.0
// The inner loops of the CPU engine, one function table per instruction set. All tables give the same bits: the loops
// are compiled several times from one source, without contracting a*b+c, and differ in vector width only.
#ifndef FFI_KERNELS_CPU_LOOPS_H_
#define FFI_KERNELS_CPU_LOOPS_H_

#include <cstdint>
#include <vector>

#include "row_program/ops.h"

namespace jax_oneshot {

// Values are held as f32, whatever their dtype. A row sum's accumulator is wider, but it is not a value yet.
struct Loops {
  // out[i] = op(in[0][i], in[1][i], in[2][i]). `out` may be one of the operands.
  using Map = void (*)(float* out, const float* const* in, int64_t n);
  using Widen = void (*)(const void* in, int64_t first, float* out, int64_t n);   // in[first + i] -> out[i]
  using Narrow = void (*)(const float* in, void* out, int64_t first, int64_t n);  // `in` is rounded to dtype already
  using Round = void (*)(float* x, int64_t n);                                    // to the nearest value of dtype
  using Combine = void (*)(const void* const* ranks, int count, int64_t first, float* out, int64_t n);
  using Reduce = double (*)(double so_far, const float* in, int64_t n);
  using Fill = void (*)(float* out, float x, int64_t n);

  const char* name;
  Map map[kOpCount];       // elementwise operations except compare; null for the others
  Map map_bf16[kOpCount];  // the same, result rounded to bf16; null: use map, then round
  Map compare[6];          // by Direction
  Widen widen[kDTypeCount];
  Narrow narrow[kDTypeCount];
  Round round[kDTypeCount];         // null for f32
  Combine combine[3][kDTypeCount];  // by Role (sum, max, min): in rank order, in f32, not rounded; null for pred
  Reduce reduce[3];                 // sum, max, min of a chunk of a row, continuing from `so_far`; sums in double
  Fill fill;
};

// Runs on every machine.
const Loops& BaselineLoops();

// The widest table that this machine can run.
const Loops& BestLoops();

// Every table that this machine can run, baseline first.
std::vector<const Loops*> UsableLoops();

// The identity of reduce[i]: 0, -inf, inf.
double ReduceIdentity(int which);

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_LOOPS_H_
