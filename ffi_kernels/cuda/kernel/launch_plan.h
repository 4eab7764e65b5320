// SPDX-License-Identifier: Apache-2.0
// LaunchPlan: how a row program's kernel is laid out over blocks and threads, and the layout of its messages. A pure
// function of program, extent, group size and device, so that ranks with equal devices get equal plans.
//
//   bf16 all-reduce + RMSNorm, rows 8, width 4096, 8 ranks, one H100 per rank
//     -> 8 columns per thread in one chunk, 128 threads per block, a cluster of 4 blocks per row, 32 blocks
//   the same without the norm -> 64 threads per block, 64 blocks, no cluster: there is no row reduction
//
// Columns: a thread owns `chunks` chunks of `vector` adjacent columns. The threads of a row are adjacent, first within
// a block, then over the row's blocks. Rows: a block works on `rows_per_block` rows at a time and takes `row_steps`
// such steps.
#ifndef FFI_KERNELS_CUDA_KERNEL_LAUNCH_PLAN_H_
#define FFI_KERNELS_CUDA_KERNEL_LAUNCH_PLAN_H_

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/algorithm.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

struct DeviceFacts {
  int compute_capability = 0;  // 90: sm_90
  int multiprocessors = 0;
  int threads_per_multiprocessor = 0;
  int registers_per_multiprocessor = 0;
  int ranks_on_device = 1;  // of one group; each gets a share, because all must be resident at once
};

Result<DeviceFacts> ReadDeviceFacts(const CudaDriver& driver, Device device);

struct LaunchPlan {
  Algorithm algorithm = Algorithm::kOneShot;
  int64_t rows = 0, width = 0;
  int group_size = 0;
  int compute_capability = 0;

  int vector = 0;           // columns per chunk
  int chunks = 0;           // per thread
  int threads_per_row = 0;  // of one block; a multiple of 32
  int rows_per_block = 0;   // at a time
  int blocks_per_row = 0;
  bool cluster = false;  // the blocks of a row form a cluster, to reduce over the row
  int row_groups = 0;    // grid / blocks_per_row
  int row_steps = 0;     // steps that each block takes over its rows

  int blocks_per_multiprocessor = 0;  // the compiler keeps registers low enough for this many

  // Offset of the rows of input i in a message from one rank to another (a vector counts as one row); -1 for local
  // inputs. Two-shot: offset of the parts of its pieces.
  std::vector<int64_t> message_offsets;
  // Two-shot: offset of the sums of the pieces of input i; otherwise, and for inputs without sums, -1.
  std::vector<int64_t> sum_offsets;
  int64_t message_bytes = 0;  // from one rank to another, per slot: must fit the workspace's capacity

  int grid() const { return row_groups * blocks_per_row; }
  int block() const { return threads_per_row * rows_per_block; }
  // A row's bytes within a message: for combined inputs, padded to whole chunks; for gathered inputs, this rank's
  // columns, each in a word of its own if a chunk can belong to two ranks. Always a multiple of 16.
  int64_t RowBytes(const Input& input) const;
  // The bytes moved by one load or store of a buffer: buffers must be aligned to it. `shard`: the buffer holds only one
  // rank's columns.
  int AccessBytes(DType dtype, Kind kind, bool shard) const;
};

// Returns an error, with the reason, for programs that the kernel does not support: see launch_plan_test.cc for each.
Result<LaunchPlan> PlanLaunch(const RowProgram& program, int64_t rows, int64_t width, int group_size,
                              const DeviceFacts& device, Algorithm algorithm = Algorithm::kOneShot);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_LAUNCH_PLAN_H_
