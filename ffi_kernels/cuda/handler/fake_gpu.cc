// Implementation of fake_gpu.h.
#include "ffi_kernels/cuda/handler/fake_gpu.h"

#include <algorithm>
#include <cstring>

namespace jax_oneshot::cuda {
namespace {

FakeGpuState g_state;
std::vector<std::unique_ptr<char[]>> g_memory;

char* NewMemory(size_t bytes) {
  g_memory.push_back(std::make_unique<char[]>(bytes));
  return g_memory.back().get();
}

template <typename Handle>
Handle HandleOf(int number) {
  return reinterpret_cast<Handle>(static_cast<uintptr_t>(number) + 100);
}

int AttributeOf(int attribute) {
  switch (attribute) {
    case kComputeCapabilityMajor:
      return 9;
    case kComputeCapabilityMinor:
      return 0;
    case kMultiprocessorCount:
      return 132;
    case kMaxThreadsPerMultiprocessor:
      return 2048;
    case kMaxRegistersPerMultiprocessor:
      return 65536;
    default:
      return 1024;
  }
}

void AddDevices(CudaDriver* driver) {
  driver->cuDeviceGetCount = [](int* count) { return *count = g_state.gpus, kSuccess; };
  driver->cuDeviceGet = [](Device* device, int ordinal) { return *device = ordinal, kSuccess; };
  driver->cuDeviceGetAttribute = [](int* value, int attribute, Device) {
    return *value = AttributeOf(attribute), kSuccess;
  };
  driver->cuDeviceGetPCIBusId = [](char* text, int, Device device) {
    return std::strcpy(text, std::to_string(device).c_str()), kSuccess;
  };
  driver->cuDeviceCanAccessPeer = [](int* can, Device, Device) { return *can = g_state.can_access_peer, kSuccess; };
  driver->cuDevicePrimaryCtxRetain = [](Context* context, Device device) {
    return *context = HandleOf<Context>(device), kSuccess;
  };
  driver->cuCtxGetCurrent = [](Context* context) { return *context = nullptr, kSuccess; };
  driver->cuCtxSetCurrent = [](Context) { return kSuccess; };
  driver->cuCtxGetDevice = [](Device* device) { return *device = 0, kSuccess; };
}

void AddMemory(CudaDriver* driver) {
  driver->cuMemAlloc_v2 = [](DevicePointer* address, size_t bytes) {
    return *address = reinterpret_cast<DevicePointer>(NewMemory(bytes)), kSuccess;
  };
  driver->cuMemFree_v2 = [](DevicePointer) { return kSuccess; };
  driver->cuMemHostAlloc = [](void** pointer, size_t bytes, unsigned) {
    *pointer = NewMemory(bytes);
    g_state.error_record = static_cast<volatile uint64_t*>(*pointer);
    return kSuccess;
  };
  driver->cuMemHostGetDevicePointer_v2 = [](DevicePointer* address, void* host, unsigned) {
    return *address = reinterpret_cast<DevicePointer>(host), kSuccess;
  };
  driver->cuMemcpyHtoDAsync_v2 = [](DevicePointer to, const void* from, size_t bytes, Stream) {
    return std::memcpy(reinterpret_cast<void*>(to), from, bytes), kSuccess;
  };
  driver->cuMemcpyDtoHAsync_v2 = [](void* to, DevicePointer from, size_t bytes, Stream) {
    return std::memcpy(to, reinterpret_cast<const void*>(from), bytes), kSuccess;
  };
  driver->cuMemsetD32Async = [](DevicePointer to, unsigned value, size_t count, Stream) {
    return std::fill_n(reinterpret_cast<unsigned*>(to), count, value), kSuccess;
  };
  driver->cuIpcGetMemHandle = [](IpcMemHandle*, DevicePointer) { return kSuccess; };
}

void AddLaunches(CudaDriver* driver) {
  driver->cuStreamCreate = [](Stream* stream, unsigned) { return *stream = HandleOf<Stream>(0), kSuccess; };
  driver->cuStreamQuery = [](Stream) { return g_state.query; };
  driver->cuModuleLoadData = [](Module* module, const void*) {
    return *module = HandleOf<Module>(++g_state.modules), kSuccess;
  };
  driver->cuModuleUnload = [](Module) { return kSuccess; };
  driver->cuModuleGetFunction = [](Function* function, Module, const char*) {
    return *function = HandleOf<Function>(0), kSuccess;
  };
  driver->cuFuncGetAttribute = [](int* value, int, Function) { return *value = 0, kSuccess; };
  driver->cuFuncSetAttribute = [](Function, int, int) { return kSuccess; };
  driver->cuOccupancyMaxActiveBlocksPerMultiprocessor = [](int* blocks, Function, int, size_t) {
    return *blocks = 8, kSuccess;
  };
  driver->cuOccupancyMaxActiveClusters = [](int* clusters, Function, const LaunchConfig*) {
    return *clusters = 64, kSuccess;
  };
  driver->cuLaunchKernelEx = [](const LaunchConfig* config, Function, void**, void**) {
    return g_state.launches.push_back(*config), kSuccess;
  };
}

const Result<CudaDriver>& FakeDriver() {
  static const Result<CudaDriver> driver = [] {
    CudaDriver made;
    AddDevices(&made);
    AddMemory(&made);
    AddLaunches(&made);
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
  parts.driver = &FakeDriver;
  parts.nvrtc = &FakeNvrtc;
  parts.nccl = []() -> Result<NcclApi> { return FakeNccl(); };
  parts.log = [](const std::string& message) { g_state.log.push_back(message); };
  return std::make_unique<Runtime>(std::move(parts));
}

}  // namespace jax_oneshot::cuda
