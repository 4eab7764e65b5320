// SPDX-License-Identifier: Apache-2.0
// Implementation of nccl_ranks.h.
#include "ffi_kernels/cuda/bench/nccl_ranks.h"

#include "ffi_kernels/cuda/comm/nccl.h"
#include "ffi_kernels/cuda/driver/library.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr int kBFloat16 = 9;  // ncclDataType_t
constexpr int kSum = 0;       // ncclRedOp_t

void* Pointer(DevicePointer at) { return reinterpret_cast<void*>(at); }  // NOLINT(performance-no-int-to-ptr)

}  // namespace

Result<NcclLibrary> LoadNccl() {
  const Result<Library> library =
      Library::Open({"NCCL",
                     {"libnccl.so.2"},
                     CudaLibraryFolders(),
                     "Install JAX with its CUDA libraries (pip install \"jax[cuda13]\"), or "
                     "name the folder of libnccl in ONESHOT_CUDA_LIBRARIES."});
  if (!library) return Err(library.error());
  NcclLibrary nccl;
  for (const Result<void>& found :
       {library->LookUp("ncclGetVersion", &nccl.get_version), library->LookUp("ncclGetErrorString", &nccl.error_string),
        library->LookUp("ncclCommInitAll", &nccl.comm_init_all), library->LookUp("ncclGroupStart", &nccl.group_start),
        library->LookUp("ncclGroupEnd", &nccl.group_end), library->LookUp("ncclAllReduce", &nccl.all_reduce)}) {
    if (!found) return Err(found.error());
  }
  int version = 0;
  nccl.get_version(&version);
  nccl.version = NcclVersionText(version);
  return nccl;
}

Result<std::shared_ptr<const NcclRanks>> NcclRanks::Make(const NcclLibrary& library, const RankGpus& gpus, int ranks) {
  std::shared_ptr<NcclRanks> made(new NcclRanks(library, gpus));
  std::vector<int> devices;
  for (int rank = 0; rank < ranks; ++rank) devices.push_back(gpus.of(rank).ordinal());
  made->comms_.resize(devices.size());
  Result<void> initialised =
      made->Check("ncclCommInitAll", library.comm_init_all(made->comms_.data(), ranks, devices.data()));
  if (!initialised) return Err(initialised.error());
  return made;
}

Result<void> NcclRanks::AllReduce(const std::vector<NcclBuffers>& of_ranks, size_t count) const {
  if (Result<void> started = Check("ncclGroupStart", library_.group_start()); !started) return started;
  Result<void> reduced = AllReduceInGroup(of_ranks, count);
  Result<void> ended = Check("ncclGroupEnd", library_.group_end());  // also after an error: groups are per thread
  return reduced ? ended : reduced;
}

Result<void> NcclRanks::AllReduceInGroup(const std::vector<NcclBuffers>& of_ranks, size_t count) const {
  for (int rank = 0; rank < ranks(); ++rank) {
    const size_t i = static_cast<size_t>(rank);
    if (Result<void> current = gpus_.of(rank).MakeCurrent(); !current) return current;
    Result<void> reduced =
        Check("ncclAllReduce", library_.all_reduce(Pointer(of_ranks[i].send), Pointer(of_ranks[i].receive), count,
                                                   kBFloat16, kSum, comms_[i], gpus_.stream(rank)));
    if (!reduced) return reduced;
  }
  return {};
}

Result<void> NcclRanks::Check(const char* call, int result) const {
  if (result == 0) return {};
  return Err(std::string(call) + " failed: " + library_.error_string(result) + "; NCCL " + library_.version +
             "; NCCL_DEBUG=WARN makes it say more");
}

}  // namespace jax_oneshot::cuda::bench
