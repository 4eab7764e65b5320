// Problem: random inputs of every rank on host and GPU, buffers for a chain's results, and the result of one call
// according to the scalar evaluator.
//
//   call 0 of a chain reads the inputs; call i reads what call i - 1 wrote. Results go to two sets of buffers in turn.
#ifndef FFI_KERNELS_CUDA_BENCH_PROBLEM_H_
#define FFI_KERNELS_CUDA_BENCH_PROBLEM_H_

#include <array>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/gpu.h"
#include "ffi_kernels/cuda/bench/rank_gpus.h"
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
// The same where each rank holds its columns of gamma only.
RowProgram ShardedProgram(int width);
// The all-reduce alone.
RowProgram PlainProgram();
// The f32 all-reduce of one value per row: rows of width 1.
RowProgram StatisticProgram();
// The all-gather of each rank's columns of a bf16 row.
RowProgram GatherProgram();

// What a method leaves behind, to be held against the reference.
enum class Leaves { kNothing, kSum, kNormAndResidual };

// How close a method's results come: to the reference, in roundings to bf16; and those of all ranks to each other.
struct Exactness {
  bool equal_bits = true;
  int roundings = 2;
};

struct CallBuffers {
  DevicePointer partial, residual, gamma;         // read
  DevicePointer norm_out, residual_out, sum_out;  // written; a method that has no use for one leaves it alone
};

class Problem {
 public:
  static Result<Problem> Make(const RankGpus& gpus, const Shape& shape);

  const Shape& shape() const { return shape_; }
  // Of call `link` on `rank`. A chain of sums is fed by sums, any other by norms.
  CallBuffers Call(int rank, int link, Leaves leaves) const;
  // Overwrites all results, so that nothing from before can pass for one.
  Result<void> ForgetResults() const;
  // Holds what a chain of one call left on every rank against the reference.
  Result<void> CheckOneCall(Leaves leaves, const Exactness& exactness) const;
  // What a chain of `links` calls left on every rank: its results, one after the other.
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

// The first place where `got` is further from `want` than `roundings` of a bf16 norm or sum explain.
Result<void> CompareBF16(const BF16s& got, const BF16s& want, const char* what, int roundings = 2);

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_PROBLEM_H_
