// The kernels of bench_kernels.cuh, compiled by NVRTC and loaded on the ranks' GPUs, each with a typed launch function.
#ifndef FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_
#define FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/gpu.h"
#include "ffi_kernels/cuda/bench/rank_gpus.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda::bench {

// The machine code of all of them. Needs no GPU.
Result<Compilation> CompileBenchKernels(const Nvrtc& nvrtc, const std::string& arch);

// One thread takes eight bf16 values, a block one row in whole warps.
inline constexpr int kColumnsPerThread = 8;
inline constexpr int kMaxWidth = 1024 * kColumnsPerThread;
// What they cannot do, as a refusal.
Result<void> CheckWidth(int64_t width);

struct Mailboxes {
  std::array<DevicePointer, kMaxRanks> of = {};  // per rank: 2 * kMaxRanks slots of 16 bytes, zero at first
};

struct PushPoll {
  Mailboxes mailboxes;
  int rank, ranks;
  DevicePointer calls;  // of this rank: how many it has made
  uint64_t deadline_ns;
};

// residual_out = residual + sum; norm_out = RMSNorm(residual_out) * gamma.
struct NormCall {
  DevicePointer sum, residual, gamma, norm_out, residual_out;
  int rows, width;
  float epsilon;
};

// When a kernel starts: when the one before it in the stream has ended; or, by programmatic dependent launch, as soon
// as that one's last block leaves, and it waits itself for what that one wrote. The one-shot kernels are launched
// early.
enum class Start : uint8_t { kInOrder, kEarly };

// Buffers of one rank whose columns are [first, first + columns).
struct ShardBuffers {
  DevicePointer sum, residual;      // [rows, width]
  DevicePointer residual_out;       // [rows, width]
  DevicePointer statistic, total;   // f32 [rows]: this rank's squares; all ranks'
  DevicePointer gamma, norm_shard;  // [columns]; [rows, columns]
  int first, columns;
};

// Those of one GPU, which must be the current one at every launch.
class BenchKernels {
 public:
  static Result<BenchKernels> Load(const Gpu& gpu, const std::string& cubin);

  Result<void> LaunchGate(Stream stream, DevicePointer arrived, int ranks, uint64_t deadline_ns,
                          DevicePointer started) const;
  Result<void> LaunchStamp(Stream stream, DevicePointer ended) const;
  Result<void> LaunchEmpty(Stream stream, Start start) const;
  Result<void> LaunchPushPoll(Stream stream, const PushPoll& call, Start start) const;
  // In one kernel, or in two as XLA has it.
  Result<void> LaunchAddNorm(Stream stream, const NormCall& call, Start start) const;
  Result<void> LaunchAddThenNorm(Stream stream, const NormCall& call) const;
  // The two steps between the three collectives of a sharded norm: residual and statistic, then this rank's columns.
  Result<void> LaunchShardStatistic(Stream stream, const ShardBuffers& buffers, int rows, int width) const;
  Result<void> LaunchShardScale(Stream stream, const ShardBuffers& buffers, int rows, int width, float epsilon) const;

  // Ok, or that this GPU cannot start kernels early.
  Result<void> CheckStart(Start start) const;
  // Whether a kernel is one of these and ends whatever the other ranks do.
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

// Those of all ranks: loaded once per GPU.
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
