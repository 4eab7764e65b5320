// SPDX-License-Identifier: Apache-2.0
// Implementation of rank_gpus.h.
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

#include <string>
#include <utility>

namespace jax_oneshot::cuda {
namespace {

std::string Model(const Gpu& gpu) {
  return gpu.name() + " (" + gpu.arch() + ", " + std::to_string(gpu.multiprocessors()) + " multiprocessors)";
}

Result<void> CheckCount(const CudaDriver& driver, int gpus) {
  int present = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetCount(&present));
  if (gpus >= 1 && gpus <= present) return {};
  return Err("ranks on " + std::to_string(gpus) + " GPUs were asked for, and the driver offers " +
             std::to_string(present) + "; is CUDA_VISIBLE_DEVICES set?");
}

Result<void> CheckSameModel(const Gpu& first, const Gpu& other) {
  if (Model(first) == Model(other)) return {};
  return Err("GPU " + std::to_string(first.ordinal()) + " is " + Model(first) + ", GPU " +
             std::to_string(other.ordinal()) + " is " + Model(other) +
             "; one kernel serves all ranks, choose GPUs of one model with CUDA_VISIBLE_DEVICES");
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

Result<std::unique_ptr<RankGpus>> RankGpus::Open(const CudaDriver& driver, int gpus, int most_ranks) {
  if (Result<void> present = CheckCount(driver, gpus); !present) return Err(present.error());
  std::unique_ptr<RankGpus> ranks(new RankGpus(most_ranks));
  for (int ordinal = 0; ordinal < gpus; ++ordinal) {
    Result<std::unique_ptr<Gpu>> gpu = Gpu::Open(driver, ordinal, Share(most_ranks, gpus));
    if (!gpu) return Err(gpu.error());
    ranks->gpus_.push_back(*std::move(gpu));
    const Result<void> same = CheckSameModel(*ranks->gpus_.front(), *ranks->gpus_.back());
    if (!same) return Err(same.error());
  }
  if (Result<void> enabled = EnableAccess(ranks->gpus_); !enabled) return Err(enabled.error());
  return ranks;
}

Result<void> RankGpus::Wait(double deadline_s) const {
  for (const std::unique_ptr<Gpu>& gpu : gpus_) {
    if (Result<void> done = gpu->Wait(deadline_s); !done) return done;
  }
  return {};
}

}  // namespace jax_oneshot::cuda
