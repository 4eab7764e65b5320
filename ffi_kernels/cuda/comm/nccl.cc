// SPDX-License-Identifier: Apache-2.0
// Implementation of nccl.h.
#include "ffi_kernels/cuda/comm/nccl.h"

#include <dlfcn.h>
#include <link.h>

#include <string_view>

namespace jax_oneshot::cuda {
namespace {

constexpr char kTurnOff[] = "JAX_ONESHOT=0 runs this program with XLA's own collectives";

bool IsNccl(std::string_view path) {
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return name.rfind("libnccl.so", 0) == 0;  // not libnccl-net.so, a plug-in
}

int Collect(dl_phdr_info* info, size_t /*size*/, void* found) {
  if (IsNccl(info->dlpi_name)) static_cast<std::vector<std::string>*>(found)->push_back(info->dlpi_name);
  return 0;
}

template <typename Function>
void Bind(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

template <typename Function>
void BindNeeded(void* library, const char* name, Function* function, std::string* missing) {
  Bind(library, name, function);
  if (*function == nullptr) *missing += std::string(missing->empty() ? "" : ", ") + name;
}

}  // namespace

std::vector<std::string> LoadedNccls() {
  std::vector<std::string> found;
  dl_iterate_phdr(Collect, &found);
  return found;
}

Result<NcclApi> BindNccl(const std::vector<std::string>& loaded) {
  if (loaded.empty()) {
    return Err(std::string("this process has no libnccl loaded, though XLA handed out a communicator; expected a "
                           "library named libnccl.so.2 (is NCCL linked statically into this build of XLA?). ") +
               kTurnOff);
  }
  NcclApi api;
  api.path = loaded.front();
  void* library = dlopen(api.path.c_str(), RTLD_NOLOAD | RTLD_LAZY);  // never closed: XLA keeps it loaded too
  if (library == nullptr) {
    return Err("cannot use the NCCL that is loaded: dlopen(" + api.path + ", RTLD_NOLOAD): " + dlerror() + ". " +
               kTurnOff);
  }
  NcclResult (*get_version)(int*) = nullptr;
  std::string missing;
  BindNeeded(library, "ncclGetVersion", &get_version, &missing);
  BindNeeded(library, "ncclGetErrorString", &api.error_string, &missing);
  BindNeeded(library, "ncclCommUserRank", &api.comm_user_rank, &missing);
  BindNeeded(library, "ncclCommCount", &api.comm_count, &missing);
  BindNeeded(library, "ncclCommGetAsyncError", &api.comm_async_error, &missing);
  BindNeeded(library, "ncclAllGather", &api.all_gather, &missing);
  if (!missing.empty()) return Err(api.path + " has no " + missing + "; expected NCCL 2.4 or newer. " + kTurnOff);
  Bind(library, "ncclMemAlloc", &api.mem_alloc);
  Bind(library, "ncclCommWindowRegister", &api.comm_window_register);
  Bind(library, "ncclGetPeerDevicePointer", &api.peer_device_pointer);
  Bind(library, "ncclGetLsaMultimemDevicePointer", &api.lsa_multimem_device_pointer);
  get_version(&api.version);
  return api;
}

std::string NcclVersionText(int version) {
  const int scale = version < 10000 ? 1000 : 10000;
  return std::to_string(version / scale) + "." + std::to_string(version % scale / 100) + "." +
         std::to_string(version % 100);
}

}  // namespace jax_oneshot::cuda
