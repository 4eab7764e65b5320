// In:  NVRTC and a GPU. Out: the kernels of bench_kernels.cuh, compiled and loaded, each with a typed launch.
#ifndef FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_
#define FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ffi_kernels/base/result.h"
#include "ffi_kernels/cuda/bench/gpu.h"
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

struct NormBuffers {
  DevicePointer sum, residual, gamma, norm_out, residual_out;
};

// Buffers of one rank whose columns are [first, first + columns).
struct ShardBuffers {
  DevicePointer sum, residual;      // [rows, width]
  DevicePointer residual_out;       // [rows, width]
  DevicePointer statistic, total;   // f32 [rows]: this rank's squares; all ranks'
  DevicePointer gamma, norm_shard;  // [columns]; [rows, columns]
  int first, columns;
};

class BenchKernels {
 public:
  static Result<BenchKernels> Load(const Gpu& gpu, const std::string& cubin);

  Result<void> LaunchGate(Stream stream, DevicePointer arrived, int ranks, uint64_t deadline_ns,
                          DevicePointer started) const;
  Result<void> LaunchStamp(Stream stream, DevicePointer ended) const;
  Result<void> LaunchEmpty(Stream stream) const;
  Result<void> LaunchPushPoll(Stream stream, const Mailboxes& mailboxes, int rank, int ranks, DevicePointer calls,
                              uint64_t deadline_ns) const;
  // residual_out = residual + sum; norm_out = RMSNorm(residual_out) * gamma. In one kernel, or in two as XLA has it.
  Result<void> LaunchAddNorm(Stream stream, const NormBuffers& buffers, int rows, int width, float epsilon) const;
  Result<void> LaunchAddThenNorm(Stream stream, const NormBuffers& buffers, int rows, int width, float epsilon) const;
  // The two steps between the three collectives of a sharded norm: residual and statistic, then this rank's columns.
  Result<void> LaunchShardStatistic(Stream stream, const ShardBuffers& buffers, int rows, int width) const;
  Result<void> LaunchShardScale(Stream stream, const ShardBuffers& buffers, int rows, int width, float epsilon) const;

  // Whether a kernel is one of these and ends whatever the other ranks do.
  bool NeverWaits(Function function) const;

 private:
  enum Kernel { kGate, kStamp, kEmpty, kPushPoll, kAddNorm, kAdd, kNorm, kShardStatistic, kShardScale, kKernels };

  explicit BenchKernels(const CudaDriver& driver) : driver_(driver) {}
  Result<void> Launch(Kernel kernel, Stream stream, int grid, int block, std::vector<void*> parameters) const;

  CudaDriver driver_;
  std::array<Function, kKernels> functions_ = {};
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_BENCH_KERNELS_H_
