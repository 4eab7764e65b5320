// SPDX-License-Identifier: Apache-2.0
// Problem: random inputs of every rank on host and GPU, buffers for a chain's results, and the result of one call as
// computed by the scalar evaluator.
//
//   call 0 of a chain reads the inputs; call i reads the results of call i - 1, from two alternating sets of buffers
#ifndef FFI_KERNELS_CUDA_BENCH_PROBLEM_H_
#define FFI_KERNELS_CUDA_BENCH_PROBLEM_H_

#include <array>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/local_ranks/gpu.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda::bench {

using BF16s = std::vector<uint16_t>;  // bits

struct Shape {
  int ranks = 0, rows = 0, width = 0;
  size_t elements() const { return static_cast<size_t>(rows) * static_cast<size_t>(width); }
};

inline constexpr float kEpsilon = 1e-5f;

// bf16 all-reduce, residual add, RMSNorm; returns the norm and the new residual.
RowProgram FusedProgram(int width);
// The same with gamma sharded: each rank holds only its columns.
RowProgram ShardedProgram(int width);
// The all-reduce alone.
RowProgram PlainProgram();
// The f32 all-reduce of one value per row: rows of width 1.
RowProgram StatisticProgram();
// The all-gather of each rank's columns of a bf16 row.
RowProgram GatherProgram();

// The results that a method leaves, to be compared with the reference.
enum class Leaves { kNothing, kSum, kNormAndResidual };

// Required accuracy of a method's results: equality of bits between ranks, and distance to the reference in roundings
// to bf16.
struct Exactness {
  bool equal_bits = true;
  int roundings = 2;
};

struct CallBuffers {
  DevicePointer partial, residual, gamma;         // read
  DevicePointer norm_out, residual_out, sum_out;  // written, except those that a method does not use
};

class Problem {
 public:
  static Result<Problem> Make(const RankGpus& gpus, const Shape& shape);

  const Shape& shape() const { return shape_; }
  // Of call `link` on `rank`. A chain of sums feeds sums to the next call, any other chain norms.
  CallBuffers Call(int rank, int link, Leaves leaves) const;
  // Overwrites all results, so that stale ones cannot pass the check.
  Result<void> ForgetResults() const;
  // Compares the results of a chain of one call, on every rank, with the reference.
  Result<void> CheckOneCall(Leaves leaves, const Exactness& exactness) const;
  // The results of a chain of `links` calls on every rank, concatenated.
  Result<BF16s> Results(int links, Leaves leaves) const;

 private:
  struct RankMemory {
    Memory partial, residual, gamma;
    std::array<Memory, 2> norm, residual_out, sum;
  };

  Result<void> MakeRank(const Gpu& gpu, const BF16s& partial, const BF16s& residual, const BF16s& gamma);
  void Evaluate(const std::vector<BF16s>& partials, const BF16s& residual, const BF16s& gamma);

  explicit Problem(const RankGpus& gpus, const Shape& shape) : gpus_(&gpus), shape_(shape) {}
  Result<void> ForgetResultsOf(int rank) const;

  const RankGpus* gpus_;
  Shape shape_;
  std::vector<RankMemory> ranks_;
  BF16s norm_, residual_, sum_;  // the reference
};

// An error at the first element where `got` differs from `want` by more than `roundings` of a bf16 norm or sum explain.
Result<void> CompareBF16(const BF16s& got, const BF16s& want, const char* what, int roundings = 2);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_PROBLEM_H_
