// SPDX-License-Identifier: Apache-2.0
// Implementation of fake_driver.h.
#include "ffi_kernels/cuda/driver/fake_driver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace jax_oneshot::cuda {

FakeGpus fake_gpus;

namespace {

template <typename Handle>
uint64_t Key(Handle handle) {
  if constexpr (std::is_pointer_v<Handle>) {
    return reinterpret_cast<uint64_t>(handle);
  } else {
    return handle;
  }
}

// The handle must be known and belong to the current GPU.
template <typename Handle>
void Expect(const char* call, Handle handle) {
  const auto found = fake_gpus.owners.find(Key(handle));
  if (found == fake_gpus.owners.end()) {
    fake_gpus.violations.push_back(std::string(call) + ": nobody's handle");
  } else if (found->second != fake_gpus.current) {
    fake_gpus.violations.push_back(std::string(call) + ": a handle of GPU " + std::to_string(found->second) +
                                   " while GPU " + std::to_string(fake_gpus.current) + " is current");
  }
}

template <typename Handle>
void ExpectAndForget(const char* call, Handle handle) {
  Expect(call, handle);
  fake_gpus.owners.erase(Key(handle));
}

// The number of a new handle of the current GPU; far below any address.
uint64_t NewHandle(const char* call) {
  static uint64_t last = 1;
  if (fake_gpus.current < 0) fake_gpus.violations.push_back(std::string(call) + ": no GPU is current");
  fake_gpus.owners[++last] = fake_gpus.current;
  return last;
}

template <typename Handle>
Handle Made(const char* call) {
  return reinterpret_cast<Handle>(NewHandle(call));
}

Context ContextOf(int gpu) { return reinterpret_cast<Context>(intptr_t{gpu} + 1); }
int GpuOf(Context context) { return static_cast<int>(reinterpret_cast<intptr_t>(context)) - 1; }

int AttributeOf(int attribute) {
  switch (attribute) {
    case kComputeCapabilityMajor:
      return 9;
    case kComputeCapabilityMinor:
      return 0;
    case kMultiprocessorCount:
      return fake_gpus.multiprocessors;
    case kMaxThreadsPerMultiprocessor:
      return 2048;
    case kMaxRegistersPerMultiprocessor:
      return 65536;
    default:
      return 1024;
  }
}

void PlayDevices(CudaDriver* driver) {
  driver->cuGetErrorName = [](Status, const char** name) {
    *name = "CUDA_ERROR_X";
    return kSuccess;
  };
  driver->cuGetErrorString = driver->cuGetErrorName;
  driver->cuDeviceGetCount = [](int* count) {
    *count = fake_gpus.count;
    return kSuccess;
  };
  driver->cuDeviceGet = [](Device* device, int ordinal) {
    *device = ordinal;
    return kSuccess;
  };
  driver->cuDeviceGetName = [](char* name, int size, Device device) {
    const size_t i = static_cast<size_t>(device);
    const std::string model = i < fake_gpus.models.size() ? fake_gpus.models[i] : "NVIDIA Fake";
    std::strncpy(name, model.c_str(), static_cast<size_t>(size) - 1);
    return kSuccess;
  };
  driver->cuDeviceGetAttribute = [](int* value, int attribute, Device) {
    *value = AttributeOf(attribute);
    return kSuccess;
  };
  driver->cuDeviceGetPCIBusId = [](char* text, int size, Device device) {
    std::strncpy(text, std::to_string(device).c_str(), static_cast<size_t>(size));
    return kSuccess;
  };
}

void PlayContexts(CudaDriver* driver) {
  driver->cuDevicePrimaryCtxRetain = [](Context* context, Device device) {
    *context = ContextOf(device);
    return kSuccess;
  };
  driver->cuDevicePrimaryCtxRelease_v2 = [](Device) { return kSuccess; };
  driver->cuCtxSetCurrent = [](Context context) {
    fake_gpus.current = GpuOf(context);
    return kSuccess;
  };
  driver->cuCtxGetCurrent = [](Context* context) {
    *context = ContextOf(fake_gpus.current);
    return kSuccess;
  };
  driver->cuCtxGetDevice = [](Device* device) {
    *device = fake_gpus.current;
    return kSuccess;
  };
  driver->cuCtxSynchronize = [] { return kSuccess; };
  driver->cuDeviceCanAccessPeer = [](int* can, Device device, Device peer) {
    *can = fake_gpus.no_access.count({device, peer}) == 0 ? 1 : 0;
    return kSuccess;
  };
  driver->cuCtxEnablePeerAccess = [](Context peer, unsigned) {
    fake_gpus.peers.insert({fake_gpus.current, GpuOf(peer)});
    return fake_gpus.peer_status;
  };
}

void PlayStreams(CudaDriver* driver) {
  driver->cuStreamCreate = [](Stream* stream, unsigned) {
    ++fake_gpus.streams_alive;
    *stream = Made<Stream>("cuStreamCreate");
    return kSuccess;
  };
  driver->cuStreamDestroy_v2 = [](Stream stream) {
    --fake_gpus.streams_alive;
    ExpectAndForget("cuStreamDestroy", stream);
    return kSuccess;
  };
  driver->cuStreamQuery = [](Stream stream) {
    Expect("cuStreamQuery", stream);
    return fake_gpus.stream_status;
  };
}

void PlayMemory(CudaDriver* driver) {
  driver->cuMemAlloc_v2 = [](DevicePointer* at, size_t bytes) {
    ++fake_gpus.memories_alive;
    *at = Key(std::malloc(bytes));
    fake_gpus.owners[*at] = fake_gpus.current;
    return kSuccess;
  };
  driver->cuMemFree_v2 = [](DevicePointer at) {
    --fake_gpus.memories_alive;
    ExpectAndForget("cuMemFree", at);
    std::free(reinterpret_cast<void*>(at));
    return kSuccess;
  };
  driver->cuMemsetD8_v2 = [](DevicePointer at, unsigned char value, size_t bytes) {
    Expect("cuMemsetD8", at);
    std::memset(reinterpret_cast<void*>(at), value, bytes);
    return kSuccess;
  };
  driver->cuMemsetD32Async = [](DevicePointer to, unsigned value, size_t count, Stream stream) {
    Expect("cuMemsetD32Async", stream);
    std::fill_n(reinterpret_cast<unsigned*>(to), count, value);
    return kSuccess;
  };
  driver->cuIpcGetMemHandle = [](IpcMemHandle*, DevicePointer) { return kSuccess; };
}

void PlayCopies(CudaDriver* driver) {
  driver->cuMemcpyHtoD_v2 = [](DevicePointer to, const void* from, size_t bytes) {
    Expect("cuMemcpyHtoD", to);
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return kSuccess;
  };
  driver->cuMemcpyHtoDAsync_v2 = [](DevicePointer to, const void* from, size_t bytes, Stream stream) {
    Expect("cuMemcpyHtoDAsync", stream);
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return kSuccess;
  };
  driver->cuMemcpyDtoHAsync_v2 = [](void* to, DevicePointer from, size_t bytes, Stream stream) {
    Expect("cuMemcpyDtoHAsync", stream);
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return kSuccess;
  };
  driver->cuMemcpyDtoH_v2 = [](void* to, DevicePointer from, size_t bytes) {
    Expect("cuMemcpyDtoH", from);
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return kSuccess;
  };
}

void PlayHostMemory(CudaDriver* driver) {
  driver->cuMemHostAlloc = [](void** at, size_t bytes, unsigned flags) {
    fake_gpus.host_flags = flags;
    *at = std::malloc(bytes);
    return kSuccess;
  };
  driver->cuMemHostGetDevicePointer_v2 = [](DevicePointer* at, void* host, unsigned) {
    *at = Key(host);
    return kSuccess;
  };
  driver->cuMemFreeHost = [](void* at) {
    std::free(at);
    return kSuccess;
  };
}

Status NoteLaunch(const LaunchConfig* config, Function function, void** parameters, void**) {
  Expect("cuLaunchKernelEx, its stream", config->stream);
  Expect("cuLaunchKernelEx, its kernel", function);
  FakeLaunch launch = {fake_gpus.current, config->stream, function, fake_gpus.names[function],
                       config->grid[0],   false,          {}};
  for (unsigned i = 0; i < config->attribute_count; ++i) {
    launch.early |= config->attributes[i].id == kLaunchProgrammaticStreamSerialization;
  }
  const auto& recorded = fake_gpus.recorded_arguments;
  if (const auto found = recorded.find(launch.kernel); found != recorded.end()) {
    for (int i : found->second) launch.arguments.push_back(*static_cast<uint64_t*>(parameters[i]));
  }
  fake_gpus.launches.push_back(launch);
  return kSuccess;
}

void PlayKernels(CudaDriver* driver) {
  driver->cuModuleLoadData = [](Module* module, const void*) {
    ++fake_gpus.modules_alive;
    *module = Made<Module>("cuModuleLoadData");
    return kSuccess;
  };
  driver->cuModuleUnload = [](Module module) {
    --fake_gpus.modules_alive;
    ExpectAndForget("cuModuleUnload", module);
    return kSuccess;
  };
  driver->cuModuleGetFunction = [](Function* function, Module module, const char* name) {
    Expect("cuModuleGetFunction", module);
    *function = Made<Function>("cuModuleGetFunction");
    fake_gpus.names[*function] = name;
    return kSuccess;
  };
  driver->cuFuncGetAttribute = [](int* value, int, Function function) {
    Expect("cuFuncGetAttribute", function);
    *value = 0;
    return kSuccess;
  };
  driver->cuFuncSetAttribute = [](Function function, int, int) {
    Expect("cuFuncSetAttribute", function);
    return kSuccess;
  };
  driver->cuOccupancyMaxActiveBlocksPerMultiprocessor = [](int* blocks, Function function, int, size_t) {
    Expect("cuOccupancyMaxActiveBlocksPerMultiprocessor", function);
    *blocks = fake_gpus.resident_blocks;
    return kSuccess;
  };
  driver->cuOccupancyMaxActiveClusters = [](int* clusters, Function function, const LaunchConfig*) {
    Expect("cuOccupancyMaxActiveClusters", function);
    *clusters = fake_gpus.resident_blocks;
    return kSuccess;
  };
  driver->cuLaunchKernelEx = NoteLaunch;
}

// A graph holds the launches on its stream since the capture began; a node is the index of a launch, plus one.
std::map<Stream, size_t> capture_began;

Status EndCapture(Stream stream, Graph* graph) {
  Expect("cuStreamEndCapture", stream);
  *graph = Made<Graph>("cuStreamEndCapture");
  for (size_t i = capture_began[stream]; i < fake_gpus.launches.size(); ++i) {
    if (fake_gpus.launches[i].stream == stream) fake_gpus.graphs[*graph].push_back(i);
  }
  ++fake_gpus.graphs_alive;
  return kSuccess;
}

void PlayGraphs(CudaDriver* driver) {
  driver->cuStreamBeginCapture_v2 = [](Stream stream, int) {
    Expect("cuStreamBeginCapture", stream);
    capture_began[stream] = fake_gpus.launches.size();
    return kSuccess;
  };
  driver->cuStreamEndCapture = EndCapture;
  driver->cuGraphDestroy = [](Graph graph) {
    --fake_gpus.graphs_alive;
    fake_gpus.owners.erase(Key(graph));
    return kSuccess;
  };
  driver->cuGraphInstantiateWithFlags = [](GraphExec* exec, Graph graph, unsigned long long) {
    Expect("cuGraphInstantiateWithFlags", graph);
    ++fake_gpus.graphs_alive;
    *exec = Made<GraphExec>("cuGraphInstantiateWithFlags");
    return kSuccess;
  };
  driver->cuGraphExecDestroy = [](GraphExec exec) {
    --fake_gpus.graphs_alive;
    ExpectAndForget("cuGraphExecDestroy", exec);
    return kSuccess;
  };
  driver->cuGraphUpload = [](GraphExec exec, Stream stream) {
    Expect("cuGraphUpload, its graph", exec);
    Expect("cuGraphUpload, its stream", stream);
    return kSuccess;
  };
  driver->cuGraphLaunch = [](GraphExec exec, Stream stream) {
    Expect("cuGraphLaunch, its graph", exec);
    Expect("cuGraphLaunch, its stream", stream);
    ++fake_gpus.graphs_launched;
    return kSuccess;
  };
}

void PlayNodes(CudaDriver* driver) {
  driver->cuGraphGetNodes = [](Graph graph, GraphNode* nodes, size_t* count) {
    const std::vector<size_t>& launches = fake_gpus.graphs[graph];
    *count = launches.size();
    for (size_t i = 0; nodes != nullptr && i < launches.size(); ++i) {
      nodes[i] = reinterpret_cast<GraphNode>(launches[i] + 1);
    }
    return kSuccess;
  };
  driver->cuGraphNodeGetType = [](GraphNode, int* type) {
    *type = kGraphNodeKernel;
    return kSuccess;
  };
  driver->cuGraphKernelNodeGetParams_v2 = [](GraphNode node, KernelNodeParameters* out) {
    const FakeLaunch& launch = fake_gpus.launches[Key(node) - 1];
    *out = {};
    out->function = launch.function;
    out->grid[0] = launch.blocks;
    out->grid[1] = out->grid[2] = out->block[0] = out->block[1] = out->block[2] = 1;
    return kSuccess;
  };
  driver->cuGraphKernelNodeGetAttribute = [](GraphNode, int, void*) { return kSuccess; };
}

}  // namespace

std::vector<std::string> FakeGpus::KernelsOn(Stream stream) const {
  std::vector<std::string> kernels;
  for (const FakeLaunch& launch : launches) {
    if (launch.stream == stream) kernels.push_back(launch.kernel);
  }
  return kernels;
}

CudaDriver FakeDriver(int gpus) {
  fake_gpus = {};
  fake_gpus.count = gpus;
  CudaDriver driver;
  PlayDevices(&driver);
  PlayContexts(&driver);
  PlayStreams(&driver);
  PlayMemory(&driver);
  PlayCopies(&driver);
  PlayHostMemory(&driver);
  PlayKernels(&driver);
  PlayGraphs(&driver);
  PlayNodes(&driver);
  return driver;
}

}  // namespace jax_oneshot::cuda
