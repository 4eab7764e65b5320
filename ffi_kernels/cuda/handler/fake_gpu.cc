// SPDX-License-Identifier: Apache-2.0
// Implementation of fake_gpu.h.
#include "ffi_kernels/cuda/handler/fake_gpu.h"

#include <cstring>

#include "ffi_kernels/cuda/driver/fake_driver.h"

namespace jax_oneshot::cuda {
namespace {

FakeGpuState g_state;
std::vector<std::unique_ptr<char[]>> g_host_memory;  // the runtime of a process never frees it

template <typename Handle>
Handle HandleOf(int number) {
  return reinterpret_cast<Handle>(static_cast<uintptr_t>(number) + 100);
}

// The fake driver, with what a test of the runtime may change, and what it inspects.
const Result<CudaDriver>& RuntimeDriver() {
  static const Result<CudaDriver> driver = [] {
    static const CudaDriver fake = FakeDriver(0);
    CudaDriver made = fake;
    fake_gpus.resident_blocks = 8;
    made.cuDeviceGetCount = [](int* count) { return *count = g_state.gpus, kSuccess; };
    made.cuDeviceCanAccessPeer = [](int* can, Device, Device) { return *can = g_state.can_access_peer, kSuccess; };
    made.cuMemHostAlloc = [](void** pointer, size_t bytes, unsigned) {
      g_host_memory.push_back(std::make_unique<char[]>(bytes));
      *pointer = g_host_memory.back().get();
      g_state.error_record = static_cast<volatile uint64_t*>(*pointer);
      return kSuccess;
    };
    made.cuMemFreeHost = [](void*) { return kSuccess; };
    made.cuStreamQuery = [](Stream) { return g_state.query; };
    made.cuModuleLoadData = [](Module* module, const void* image) {
      ++g_state.modules;
      return fake.cuModuleLoadData(module, image);
    };
    made.cuLaunchKernelEx = [](const LaunchConfig* config, Function, void**, void**) {
      return g_state.launches.push_back(*config), kSuccess;
    };
    return made;
  }();
  return driver;
}

const Result<Nvrtc>& FakeNvrtc() {
  static Result<Nvrtc> nvrtc = Nvrtc();
  if (!g_state.nvrtc_missing.empty()) return nvrtc = Err(g_state.nvrtc_missing);
  Nvrtc made;
  made.path = "/lib/libnvrtc.so.13";
  made.nvrtcVersion = [](int* major, int* minor) { return *major = 13, *minor = 0; };
  made.nvrtcCreateProgram = [](NvrtcProgram* program, const char*, const char*, int, const char* const*,
                               const char* const*) { return *program = HandleOf<NvrtcProgram>(0), 0; };
  made.nvrtcDestroyProgram = [](NvrtcProgram*) { return 0; };
  made.nvrtcCompileProgram = [](NvrtcProgram, int, const char* const*) {
    return ++g_state.compilations, g_state.compiles ? 0 : 6;
  };
  made.nvrtcGetProgramLogSize = [](NvrtcProgram, size_t* size) { return *size = 4, 0; };
  made.nvrtcGetProgramLog = [](NvrtcProgram, char* log) { return std::memcpy(log, "log", 4), 0; };
  made.nvrtcGetCUBINSize = [](NvrtcProgram, size_t* size) { return *size = 5, 0; };
  made.nvrtcGetCUBIN = [](NvrtcProgram, char* cubin) { return std::memcpy(cubin, "cubin", 5), 0; };
  made.nvrtcGetErrorString = [](int) { return "NVRTC_ERROR_COMPILATION"; };
  return nvrtc = made;
}

NcclApi FakeNccl() {
  NcclApi api;
  api.path = "/lib/libnccl.so.2";
  api.version = 22809;
  api.error_string = [](NcclResult) { return "error"; };
  api.comm_user_rank = [](NcclComm, int* rank) { return *rank = 0, kNcclSuccess; };
  api.comm_count = [](NcclComm, int* size) { return *size = g_state.ranks, kNcclSuccess; };
  api.comm_async_error = [](NcclComm, NcclResult* state) { return *state = kNcclSuccess, kNcclSuccess; };
  api.all_gather = [](const void* send, void* receive, size_t count, int, NcclComm, void*) {
    ++g_state.gathers;
    for (int rank = 0; rank < g_state.ranks; ++rank)
      std::memcpy(static_cast<char*>(receive) + rank * count, send, count);
    return kNcclSuccess;
  };
  return api;
}

}  // namespace

FakeGpuState& FakeGpu() { return g_state; }

FakeGpuState& ResetFakeGpu() { return g_state = FakeGpuState(); }

std::unique_ptr<Runtime> MakeFakeRuntime() {
  RuntimeParts parts;
  parts.driver = &RuntimeDriver;
  parts.nvrtc = &FakeNvrtc;
  parts.nccl = []() -> Result<NcclApi> { return FakeNccl(); };
  parts.log = [](const std::string& message) { g_state.log.push_back(message); };
  return std::make_unique<Runtime>(std::move(parts));
}

}  // namespace jax_oneshot::cuda
