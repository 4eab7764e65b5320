// SPDX-License-Identifier: Apache-2.0
// Copies operands that a result of the same call would overwrite before they are read: XLA may assign both the same
// buffer.
//
// XLA:CPU decides about copies before the pass runs, so a result of a call may share the buffer of one of its operands:
// a loop body writes its new carry over the carry it reads.
//
//   body: call(carry.1 as a0: sum, carry.2 as a1: local, carry.3 as a2: local) -> new carry.2, new carry.1
//
// This is safe if each element is written only after its last read. The order of the plan's steps ensures that for most
// results: an element of a row is loaded, combined and stored at the same index. Otherwise the operand is copied first.
// Operands that several passes over one row read (ranks with different local operands) are saved by RowRunner.
#ifndef FFI_KERNELS_CPU_IN_PLACE_H_
#define FFI_KERNELS_CPU_IN_PLACE_H_

#include <cstdint>
#include <vector>

#include "ffi_kernels/cpu/plan.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

// One rank's buffers, in the order of the program's inputs and outputs.
struct RankBuffers {
  const void* const* inputs;
  void* const* outputs;
};

class InPlace {
 public:
  // Scratch for one call, reused by the next. The copies are valid until then.
  struct Copies {
    std::vector<std::vector<char>> bytes;
    std::vector<std::vector<const void*>> inputs;  // by rank
    size_t used = 0;
  };

  InPlace(const RowProgram& program, const Plan& plan, int64_t rows, int64_t width);

  // Points `ranks` to copies of the operands that must not be overwritten.
  void Protect(std::vector<RankBuffers>* ranks, Copies* copies) const;

 private:
  struct Buffer {
    int64_t bytes;    // whole, not of a shard
    bool shard;       // a rank holds 1/ranks of it
    bool row_by_row;  // each row has its own elements
    int element_bytes;
    int64_t at;  // position in the plan: of its last load, or its store
  };

  bool Clash(const Buffer& input, const void* in, const Buffer& output, const void* out, int64_t ranks) const;

  std::vector<Buffer> inputs_, outputs_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_IN_PLACE_H_
