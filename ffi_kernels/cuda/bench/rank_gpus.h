// SPDX-License-Identifier: Apache-2.0
// RankGpus: the GPU and the stream of each rank. If there are several GPUs, each can access the memory of all others.
#ifndef FFI_KERNELS_CUDA_BENCH_RANK_GPUS_H_
#define FFI_KERNELS_CUDA_BENCH_RANK_GPUS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/gpu.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"

namespace jax_oneshot::cuda::bench {

inline constexpr int kMostRanks = 8;

enum class Placement {
  kOneGpu,   // all ranks on GPU 0, each on its own stream
  kGpuEach,  // rank r on GPU r
};

class RankGpus {
 public:
  // With kGpuEach: all GPUs, up to kMostRanks; they must be of one model.
  static Result<std::unique_ptr<RankGpus>> Open(const CudaDriver& driver, Placement placement);

  Placement placement() const { return placement_; }
  const CudaDriver& driver() const { return gpus_.front()->driver(); }
  size_t count() const { return gpus_.size(); }  // of GPUs
  int most_ranks() const;
  int ranks_per_gpu(int ranks) const { return placement_ == Placement::kGpuEach ? 1 : ranks; }

  // Index of a rank's GPU, below count(), for data kept per GPU.
  size_t index(int rank) const { return placement_ == Placement::kGpuEach ? static_cast<size_t>(rank) : 0; }
  const Gpu& gpu(size_t index) const { return *gpus_[index]; }
  const Gpu& of(int rank) const { return gpu(index(rank)); }
  Stream stream(int rank) const { return of(rank).stream(placement_ == Placement::kGpuEach ? 0 : rank); }

  // Waits for the streams of all GPUs; see Gpu::Wait.
  Result<void> Wait(double deadline_s) const;

 private:
  explicit RankGpus(Placement placement) : placement_(placement) {}
  Result<void> OpenEach(const CudaDriver& driver);

  Placement placement_;
  std::vector<std::unique_ptr<Gpu>> gpus_;
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_RANK_GPUS_H_
