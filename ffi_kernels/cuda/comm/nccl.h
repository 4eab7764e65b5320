// SPDX-License-Identifier: Apache-2.0
// NcclApi: the few functions that we need from the libnccl that XLA has loaded into this process, or an error that says
// what is missing and how to fix it.
//
// We never load our own NCCL: a communicator is valid only for the library that created it. The types are declared here
// as nccl.h documents them (https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/api.html), so that neither
// building nor importing needs NCCL.
#ifndef FFI_KERNELS_CUDA_COMM_NCCL_H_
#define FFI_KERNELS_CUDA_COMM_NCCL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::cuda {

using NcclComm = void*;    // ncclComm_t
using NcclWindow = void*;  // ncclWindow_t
using NcclResult = int;    // ncclResult_t

inline constexpr NcclResult kNcclSuccess = 0;
inline constexpr NcclResult kNcclInProgress = 7;  // a non-blocking communicator is still working
inline constexpr int kNcclUint8 = 1;              // ncclDataType_t
inline constexpr int kNcclWindowSymmetric = 1;    // NCCL_WIN_COLL_SYMMETRIC

struct NcclApi {
  std::string path;  // of the library, for messages
  int version = 0;   // 23007: 2.30.7

  const char* (*error_string)(NcclResult) = nullptr;
  NcclResult (*comm_user_rank)(NcclComm, int* rank) = nullptr;
  NcclResult (*comm_count)(NcclComm, int* size) = nullptr;
  NcclResult (*comm_async_error)(NcclComm, NcclResult* state) = nullptr;
  NcclResult (*all_gather)(const void* send, void* receive, size_t count, int type, NcclComm, void* stream) = nullptr;

  // Null if the library is too old (windows: 2.27, pointers into a peer's window: 2.29).
  NcclResult (*mem_alloc)(void** pointer, size_t bytes) = nullptr;
  NcclResult (*comm_window_register)(NcclComm, void* pointer, size_t bytes, NcclWindow*, int flags) = nullptr;
  NcclResult (*peer_device_pointer)(NcclWindow, size_t offset, int peer, void** pointer) = nullptr;
  NcclResult (*lsa_multimem_device_pointer)(NcclWindow, size_t offset, void** pointer) = nullptr;

  bool has_windows() const { return mem_alloc && comm_window_register && peer_device_pointer; }
};

// Paths of loaded libraries whose name starts with `libnccl.so`, in load order.
std::vector<std::string> LoadedNccls();

// Binds the functions of the first of `loaded`, which is LoadedNccls() except in tests.
Result<NcclApi> BindNccl(const std::vector<std::string>& loaded);

// "2.30.7" for 23007, "2.7.8" for 2708 (the encoding before 2.9).
std::string NcclVersionText(int version);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_NCCL_H_
