// SPDX-License-Identifier: Apache-2.0
// RankGpus: the GPU and the stream of each rank of one process. Kernels cannot distinguish such ranks from ranks in
// processes of their own.
//
//     2 GPUs, up to 4 ranks:   rank  0  1  2  3
//                              GPU   0  1  0  1     each rank on a stream of its own
//
// If there are several GPUs, each can access the memory of all others.
#ifndef FFI_KERNELS_CUDA_LOCAL_RANKS_RANK_GPUS_H_
#define FFI_KERNELS_CUDA_LOCAL_RANKS_RANK_GPUS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/local_ranks/gpu.h"

namespace jax_oneshot::cuda {

class RankGpus {
 public:
  // The driver's first `gpus` GPUs, which must be of one model: one kernel with one launch plan serves all ranks.
  static Result<std::unique_ptr<RankGpus>> Open(const CudaDriver& driver, int gpus, int most_ranks);

  const CudaDriver& driver() const { return gpus_.front()->driver(); }
  int most_ranks() const { return most_ranks_; }
  size_t count() const { return gpus_.size(); }  // of GPUs
  // The most of `ranks` ranks that share a GPU. Their blocks must be resident at once, because they wait for each
  // other.
  int ranks_per_gpu(int ranks) const { return Share(ranks, static_cast<int>(count())); }

  // Index of a rank's GPU, below count(), for data kept per GPU.
  size_t index(int rank) const { return static_cast<size_t>(rank) % count(); }
  const Gpu& gpu(size_t index) const { return *gpus_[index]; }
  const Gpu& of(int rank) const { return gpu(index(rank)); }
  Stream stream(int rank) const { return of(rank).stream(rank / static_cast<int>(count())); }

  // Waits for the streams of all GPUs; see Gpu::Wait.
  Result<void> Wait(double deadline_s) const;

 private:
  explicit RankGpus(int most_ranks) : most_ranks_(most_ranks) {}
  static int Share(int ranks, int gpus) { return (ranks + gpus - 1) / gpus; }

  int most_ranks_;
  std::vector<std::unique_ptr<Gpu>> gpus_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_LOCAL_RANKS_RANK_GPUS_H_
