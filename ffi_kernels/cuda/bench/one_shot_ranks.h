// SPDX-License-Identifier: Apache-2.0
// OneShotRanks: this project's kernels for one shape, for all ranks in this process, on one GPU or one GPU each, with
// plain device pointers for peers.
#ifndef FFI_KERNELS_CUDA_BENCH_ONE_SHOT_RANKS_H_
#define FFI_KERNELS_CUDA_BENCH_ONE_SHOT_RANKS_H_

#include <array>
#include <bitset>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/problem.h"
#include "ffi_kernels/cuda/kernel/kernel_cache.h"
#include "ffi_kernels/cuda/kernel/launch.h"
#include "ffi_kernels/cuda/local_ranks/local_group.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

// The programs of problem.h; two of them two-shot as well.
enum class OneShot : uint8_t { kFused, kPlain, kSharded, kStatistic, kGather, kFusedByTwo, kPlainByTwo };
inline constexpr size_t kOneShots = 7;
using OneShots = std::bitset<kOneShots>;

class OneShotRanks {
 public:
  // Compiles and loads the kernels of `wanted`, keeping the error of each that fails, and initialises one workspace per
  // rank, which all programs share.
  static Result<std::shared_ptr<const OneShotRanks>> Make(std::shared_ptr<const RankGpus> gpus, KernelCache& cache,
                                                          const Shape& shape,
                                                          const OneShots& wanted = OneShots().set());

  // The rank's GPU must be current. Returns the reason if the program's kernel could not be made for this shape.
  Result<void> Launch(OneShot which, int rank, std::vector<DevicePointer> inputs,
                      std::vector<DevicePointer> outputs) const;

  // Which call gave up, and the ranks it waited for; empty if none did.
  std::string GaveUp() const;
  ~OneShotRanks();
  OneShotRanks(const OneShotRanks&) = delete;
  OneShotRanks& operator=(const OneShotRanks&) = delete;

 private:
  explicit OneShotRanks(std::shared_ptr<const RankGpus> gpus) : gpus_(std::move(gpus)) {}
  void MakeKernels(KernelCache& cache, const DeviceFacts& facts, const Shape& shape, const OneShots& wanted);
  Result<void> MakeGroup(int ranks);

  const std::shared_ptr<const RankGpus> gpus_;
  std::array<Result<KernelOnGpus>, kOneShots> kernels_;
  std::unique_ptr<LocalGroup> group_;
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_ONE_SHOT_RANKS_H_
