// SPDX-License-Identifier: Apache-2.0
// The kernels of bench_kernels.cuh, compiled by NVRTC and loaded on the ranks' GPUs, each with a typed launch function.
#ifndef FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_
#define FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"
#include "ffi_kernels/cuda/local_ranks/gpu.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

// The machine code of all of them. Needs no GPU.
Result<Compilation> CompileBenchKernels(const Nvrtc& nvrtc, const std::string& arch);

// One thread handles eight bf16 values, one block a row in whole warps.
inline constexpr int kColumnsPerThread = 8;
inline constexpr int kMaxWidth = 1024 * kColumnsPerThread;
// An error if the kernels do not support the width.
Result<void> CheckWidth(int64_t width);

struct Mailboxes {
  std::array<DevicePointer, kMaxRanks> of = {};  // per rank: 2 * kMaxRanks slots of 16 bytes, initially zero
};

struct PushPoll {
  Mailboxes mailboxes;
  int rank, ranks;
  DevicePointer calls;  // of this rank: number of calls made so far
  uint64_t deadline_ns;
};

// residual_out = residual + sum; norm_out = RMSNorm(residual_out) * gamma.
struct NormCall {
  DevicePointer sum, residual, gamma, norm_out, residual_out;
  int rows, width;
  float epsilon;
};

// When a kernel starts: after the previous kernel in the stream has ended; or, by programmatic dependent launch, as
// soon as the last block of that kernel exits, and then it waits by itself for that kernel's results. The one-shot
// kernels are launched early.
enum class Start : uint8_t { kInOrder, kEarly };

// Buffers of one rank, which owns the columns [first, first + columns).
struct ShardBuffers {
  DevicePointer sum, residual;      // [rows, width]
  DevicePointer residual_out;       // [rows, width]
  DevicePointer statistic, total;   // f32 [rows]: sum of squares, of this rank; of all ranks
  DevicePointer gamma, norm_shard;  // [columns]; [rows, columns]
  int first, columns;
};

// The kernels loaded on one GPU, which must be current at every launch.
class BenchKernels {
 public:
  static Result<BenchKernels> Load(const Gpu& gpu, const std::string& cubin);

  Result<void> LaunchGate(Stream stream, DevicePointer arrived, int ranks, uint64_t deadline_ns,
                          DevicePointer started) const;
  Result<void> LaunchStamp(Stream stream, DevicePointer ended) const;
  Result<void> LaunchEmpty(Stream stream, Start start) const;
  Result<void> LaunchPushPoll(Stream stream, const PushPoll& call, Start start) const;
  // In one kernel, or in two as XLA does.
  Result<void> LaunchAddNorm(Stream stream, const NormCall& call, Start start) const;
  Result<void> LaunchAddThenNorm(Stream stream, const NormCall& call) const;
  // The two steps between the three collectives of a sharded norm: residual and statistic, then this rank's columns.
  Result<void> LaunchShardStatistic(Stream stream, const ShardBuffers& buffers, int rows, int width) const;
  Result<void> LaunchShardScale(Stream stream, const ShardBuffers& buffers, int rows, int width, float epsilon) const;

  // Ok, or an error that this GPU cannot start kernels early.
  Result<void> CheckStart(Start start) const;
  // Whether a kernel is one of these and ends regardless of the other ranks.
  bool NeverWaits(Function function) const;

 private:
  enum Kernel { kGate, kStamp, kEmpty, kPushPoll, kAddNorm, kAdd, kNorm, kShardStatistic, kShardScale, kKernels };

  struct Where {
    Stream stream;
    int grid, block;
    Start start = Start::kInOrder;
  };

  explicit BenchKernels(const Gpu& gpu) : driver_(gpu.driver()), compute_capability_(gpu.compute_capability()) {}
  Result<void> Launch(Kernel kernel, const Where& where, std::vector<void*> parameters) const;

  CudaDriver driver_;
  int compute_capability_;
  std::array<Function, kKernels> functions_ = {};
};

// The kernels of all ranks, loaded once per GPU.
class RankKernels {
 public:
  static Result<RankKernels> Load(const RankGpus& gpus, const std::string& cubin);
  const BenchKernels& of(int rank) const { return by_gpu_[gpus_->index(rank)]; }

 private:
  explicit RankKernels(const RankGpus& gpus) : gpus_(&gpus) {}

  const RankGpus* gpus_;
  std::vector<BenchKernels> by_gpu_;
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_
