// SPDX-License-Identifier: Apache-2.0
// Implementation of rank_gpus.h.
#include "ffi_kernels/cuda/bench/rank_gpus.h"

#include <algorithm>
#include <string>
#include <utility>

namespace jax_oneshot::cuda::bench {
namespace {

std::string Model(const Gpu& gpu) {
  return gpu.name() + " (" + gpu.arch() + ", " + std::to_string(gpu.multiprocessors()) + " multiprocessors)";
}

// Checked because one kernel with one launch plan serves all ranks.
Result<void> CheckSameModel(const Gpu& first, const Gpu& other) {
  if (Model(first) == Model(other)) return {};
  return Err("GPU " + std::to_string(first.ordinal()) + " is " + Model(first) + ", GPU " +
             std::to_string(other.ordinal()) + " is " + Model(other) +
             "; the benchmark takes GPUs of one model, choose them with CUDA_VISIBLE_DEVICES");
}

Result<void> EnableAccess(const std::vector<std::unique_ptr<Gpu>>& gpus) {
  for (const std::unique_ptr<Gpu>& gpu : gpus) {
    for (const std::unique_ptr<Gpu>& peer : gpus) {
      if (gpu == peer) continue;
      if (Result<void> enabled = gpu->EnableAccessTo(*peer); !enabled) return enabled;
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<RankGpus>> RankGpus::Open(const CudaDriver& driver, Placement placement) {
  std::unique_ptr<RankGpus> ranks(new RankGpus(placement));
  if (placement == Placement::kGpuEach) {
    if (Result<void> opened = ranks->OpenEach(driver); !opened) return Err(opened.error());
    return ranks;
  }
  Result<std::unique_ptr<Gpu>> gpu = Gpu::Open(driver, 0, kMostRanks);
  if (!gpu) return Err(gpu.error());
  ranks->gpus_.push_back(*std::move(gpu));
  return ranks;
}

Result<void> RankGpus::OpenEach(const CudaDriver& driver) {
  int count = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetCount(&count));
  if (count < 2) {
    return Err("a GPU for each rank takes 2 GPUs or more, and the driver offers " + std::to_string(count) +
               "; name more of them in CUDA_VISIBLE_DEVICES, or measure with --gpus one");
  }
  for (int ordinal = 0; ordinal < std::min(count, kMostRanks); ++ordinal) {
    Result<std::unique_ptr<Gpu>> gpu = Gpu::Open(driver, ordinal, 1);
    if (!gpu) return Err(gpu.error());
    gpus_.push_back(*std::move(gpu));
    if (Result<void> same = CheckSameModel(*gpus_.front(), *gpus_.back()); !same) return same;
  }
  return EnableAccess(gpus_);
}

int RankGpus::most_ranks() const {
  return placement_ == Placement::kGpuEach ? static_cast<int>(gpus_.size()) : kMostRanks;
}

Result<void> RankGpus::Wait(double deadline_s) const {
  for (const std::unique_ptr<Gpu>& gpu : gpus_) {
    if (Result<void> done = gpu->Wait(deadline_s); !done) return done;
  }
  return {};
}

}  // namespace jax_oneshot::cuda::bench
