// SPDX-License-Identifier: Apache-2.0
// NcclRanks: NCCL's bf16 all-reduce over all ranks of this process, one GPU per rank. libnccl is loaded at run time.
//
// The types and numbers are declared here as nccl.h documents them
// (https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/api.html).
#ifndef FFI_KERNELS_CUDA_BENCH_NCCL_RANKS_H_
#define FFI_KERNELS_CUDA_BENCH_NCCL_RANKS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/local_ranks/rank_gpus.h"

namespace jax_oneshot::cuda::bench {

// Plain function pointers, so that tests can substitute their own functions. Every int is an ncclResult_t; 0 is
// success.
struct NcclLibrary {
  std::string version;  // "2.30.7"

  int (*get_version)(int* version) = nullptr;
  const char* (*error_string)(int result) = nullptr;
  int (*comm_init_all)(void** comms, int count, const int* devices) = nullptr;
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;
  int (*all_reduce)(const void* send, void* receive, size_t count, int type, int op, void* comm,
                    void* stream) = nullptr;
};

// From CudaLibraryFolders() or the system loader's search path. The library stays loaded until the process ends.
Result<NcclLibrary> LoadNccl();

struct NcclBuffers {
  DevicePointer send, receive;
};

class NcclRanks {
 public:
  // A communicator per rank, rank r on GPU r. They live until the process ends, because destroying one waits for every
  // graph that has recorded it.
  static Result<std::shared_ptr<const NcclRanks>> Make(const NcclLibrary& library, const RankGpus& gpus, int ranks);

  // Sums `count` bf16 values of every rank into every rank's `receive`, each on its rank's stream, as one group,
  // because NCCL may exchange data between its ranks before it launches.
  Result<void> AllReduce(const std::vector<NcclBuffers>& of_ranks, size_t count) const;

  int ranks() const { return static_cast<int>(comms_.size()); }

 private:
  NcclRanks(NcclLibrary library, const RankGpus& gpus) : library_(std::move(library)), gpus_(gpus) {}
  Result<void> Check(const char* call, int result) const;
  Result<void> AllReduceInGroup(const std::vector<NcclBuffers>& of_ranks, size_t count) const;

  const NcclLibrary library_;
  const RankGpus& gpus_;
  std::vector<void*> comms_;
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_NCCL_RANKS_H_
