// SPDX-License-Identifier: Apache-2.0
// Plan: a row program as steps over f32 buffers, split into phases at row reductions, with every buffer assigned. Made
// once per call site.
//
//   phase 0:  once per row     scalar steps
//             per chunk        x0 = sum of ranks; x2 = x0 + load a1; t5 += reduce_sum(x2 * x2); store x2
//             at the row's end s5 = t5
//   phase 1:  once per row     s8 = rsqrt s5
//             per chunk        x12 = x2 * splat s8 * load a2; store x12
//
// A row reduction accumulates in double (a total) and becomes a value at the end of the row.
// A value is a slot (one float per row: scalars, row scalars, and values computed only from those) or a buffer. A
// buffer that only its own phase reads holds one chunk and is reused; one that a later phase reads holds the whole row.
#ifndef FFI_KERNELS_CPU_PLAN_H_
#define FFI_KERNELS_CPU_PLAN_H_

#include <array>
#include <cstdint>
#include <vector>

#include "ffi_kernels/cpu/loops.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

struct Place {
  enum class Where : uint8_t {
    kNone,
    kSlot,   // slots[index]
    kChunk,  // chunks[index], one chunk long
    kRow,    // rows[index], one row long
    kSplat,  // splats[index], one chunk long, every element the same
    kTotal,  // totals[index], a double: the accumulator of a row reduction
  };
  Where where = Where::kNone;
  int index = 0;
};

struct Step {
  enum class Do : uint8_t {
    kCombine,   // out = the ranks' input `index`, combined
    kGather,    // out = the ranks' shards of input `index`, concatenated
    kLoad,      // out = local input `index`
    kMap,       // out = map(in)
    kRound,     // out = round(out)
    kConstant,  // out = constant
    kSplat,     // splat out = slot in[0]
    kBegin,     // total out = constant
    kReduce,    // total out = reduce(out, in[0])
    kFinish,    // slot out = total in[0], rounded to f32
    kStore,     // output `index` = in[0], or each rank's columns of it
  };
  Do what;
  Place out;
  std::array<Place, 3> in;
  int index = -1;
  DType dtype = DType::kF32;  // of the buffer read or written, or to round to
  Kind kind = Kind::kRow;     // of that buffer
  bool shard = false;         // kStore: the output is sharded
  double constant = 0;
  Loops::Map map = nullptr;
  Loops::Combine combine = nullptr;
  Loops::Reduce reduce = nullptr;
};

struct Phase {
  std::vector<Step> row_begin;
  std::vector<Step> chunk;
  std::vector<Step> row_end;
};

struct Plan {
  std::vector<Phase> phases;
  int slots = 0, chunks = 0, rows = 0, splats = 0, totals = 0;
  bool has_reduction = false;  // if false, a row may be split between threads
};

Plan MakePlan(const RowProgram& program, const Loops& loops);

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_PLAN_H_
