// NcclApi: the few functions we need of the libnccl that XLA has loaded into this process; or what is missing and how
// to fix it.
//
// We never load an NCCL of our own: a communicator is only good for the library that made it. The types are written
// down here as nccl.h documents them (https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/api.html), so that
// neither building nor importing needs NCCL.
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
inline constexpr NcclResult kNcclInProgress = 7;  // a communicator that does not block is still at work
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

  // Null where the library is too old for them (windows: 2.27, pointers into a peer's: 2.29).
  NcclResult (*mem_alloc)(void** pointer, size_t bytes) = nullptr;
  NcclResult (*comm_window_register)(NcclComm, void* pointer, size_t bytes, NcclWindow*, int flags) = nullptr;
  NcclResult (*peer_device_pointer)(NcclWindow, size_t offset, int peer, void** pointer) = nullptr;
  NcclResult (*lsa_multimem_device_pointer)(NcclWindow, size_t offset, void** pointer) = nullptr;

  bool has_windows() const { return mem_alloc && comm_window_register && peer_device_pointer; }
};

// Files of loaded libraries whose name starts with `libnccl.so`, in load order.
std::vector<std::string> LoadedNccls();

// The calls of the first of `loaded`. `loaded` is LoadedNccls() but for tests.
Result<NcclApi> BindNccl(const std::vector<std::string>& loaded);

// "2.30.7" of 23007, and of 2708 (how versions before 2.9 were counted).
std::string NcclVersionText(int version);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_NCCL_H_
