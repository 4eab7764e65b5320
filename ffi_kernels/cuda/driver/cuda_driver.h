// SPDX-License-Identifier: Apache-2.0
// CudaDriver: the libcuda functions this project calls, loaded at run time, with errors as Result<void>.
//
// No CUDA header is needed to build: the few types and numbers below are the driver's stable ABI, documented in the
// CUDA Driver API reference (sections "Data types used by CUDA driver", "Module Management", "Execution Control", ...).
// A name with _v2 is the symbol behind the documented name, as cuda.h maps it.
#ifndef FFI_KERNELS_CUDA_DRIVER_CUDA_DRIVER_H_
#define FFI_KERNELS_CUDA_DRIVER_CUDA_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace jax_oneshot::cuda {

using Status = int;  // CUresult; 0 is success
using Device = int;
using DevicePointer = uint64_t;  // CUdeviceptr
using Context = struct ContextTag*;
using Module = struct ModuleTag*;
using Function = struct FunctionTag*;
using Stream = struct StreamTag*;
using Event = struct EventTag*;
using Graph = struct GraphTag*;
using GraphExec = struct GraphExecTag*;
using GraphNode = struct GraphNodeTag*;
using Kernel = struct KernelTag*;  // a function that belongs to no context

inline constexpr Status kSuccess = 0;
inline constexpr Status kErrorNotReady = 600;

// CUdevice_attribute.
enum DeviceAttribute : int {
  kMaxThreadsPerBlock = 1,
  kMultiprocessorCount = 16,
  kClockRate = 13,
  kMaxThreadsPerMultiprocessor = 39,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMaxRegistersPerMultiprocessor = 82,
  kMaxSharedMemoryPerBlockOptin = 97,
};

// CUfunction_attribute.
enum FunctionAttribute : int {
  kFunctionLocalSizeBytes = 3,
  kFunctionNumRegs = 4,
  kFunctionPreferredSharedMemory = 9,  // in percent of a multiprocessor's maximum
  kFunctionRequiredClusterWidth = 11,  // height and depth follow; 0: not given at compile time
  kFunctionNonPortableClusterSizeAllowed = 14,
};

// CUpointer_attribute.
enum PointerAttribute : int { kPointerContext = 1, kPointerMemoryType = 2, kPointerDeviceOrdinal = 9 };

inline constexpr unsigned kHostAllocPortable = 1, kHostAllocDeviceMap = 2;  // CU_MEMHOSTALLOC_*
inline constexpr unsigned kStreamNonBlocking = 1;                           // CU_STREAM_NON_BLOCKING
inline constexpr unsigned kEventDisableTiming = 2;                          // CU_EVENT_DISABLE_TIMING
inline constexpr unsigned kIpcMemLazyEnablePeerAccess = 1;                  // CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS
inline constexpr int kCaptureRelaxed = 2;                                   // CU_STREAM_CAPTURE_MODE_RELAXED
inline constexpr int kCaptureThreadLocal = 1;                               // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

struct IpcMemHandle {
  char reserved[64];
};

// CUlaunchAttribute: an id, padded to 8 bytes, and a union of 64 bytes that also holds pointers.
struct alignas(8) LaunchAttribute {
  int id;
  int padding;
  union {
    unsigned cluster[3];
    int number;
    char reserved[64];
  } value;
};
inline constexpr int kLaunchClusterDimension = 4;
inline constexpr int kLaunchProgrammaticStreamSerialization = 6;

// CUlaunchConfig.
struct LaunchConfig {
  unsigned grid[3], block[3];
  unsigned shared_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

inline constexpr int kGraphNodeKernel = 0;  // CU_GRAPH_NODE_TYPE_KERNEL

// CUDA_KERNEL_NODE_PARAMS_v2: either `function` or `kernel` is set.
struct KernelNodeParameters {
  Function function;
  unsigned grid[3], block[3];
  unsigned shared_bytes;
  void** parameters;
  void** extra;
  Kernel kernel;
  Context context;
};

#define ONESHOT_CUDA_FUNCTIONS(X)                                                                                    \
  X(cuInit, (unsigned flags))                                                                                        \
  X(cuDriverGetVersion, (int* version))                                                                              \
  X(cuGetErrorName, (Status status, const char** name))                                                              \
  X(cuGetErrorString, (Status status, const char** text))                                                            \
  X(cuDeviceGet, (Device * device, int ordinal))                                                                     \
  X(cuDeviceGetCount, (int* count))                                                                                  \
  X(cuDeviceGetName, (char* name, int size, Device device))                                                          \
  X(cuDeviceGetAttribute, (int* value, int attribute, Device device))                                                \
  X(cuDeviceGetPCIBusId, (char* text, int size, Device device))                                                      \
  X(cuDeviceCanAccessPeer, (int* can, Device device, Device peer))                                                   \
  X(cuDevicePrimaryCtxRetain, (Context * context, Device device))                                                    \
  X(cuDevicePrimaryCtxRelease_v2, (Device device))                                                                   \
  X(cuCtxGetCurrent, (Context * context))                                                                            \
  X(cuCtxSetCurrent, (Context context))                                                                              \
  X(cuCtxGetDevice, (Device * device))                                                                               \
  X(cuCtxSynchronize, ())                                                                                            \
  X(cuCtxEnablePeerAccess, (Context peer, unsigned flags))                                                           \
  X(cuModuleLoadData, (Module * module, const void* image))                                                          \
  X(cuModuleUnload, (Module module))                                                                                 \
  X(cuModuleGetFunction, (Function * function, Module module, const char* name))                                     \
  X(cuFuncGetAttribute, (int* value, int attribute, Function function))                                              \
  X(cuFuncSetAttribute, (Function function, int attribute, int value))                                               \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int* blocks, Function function, int threads, size_t shared_bytes)) \
  X(cuOccupancyMaxActiveClusters, (int* clusters, Function function, const LaunchConfig* config))                    \
  X(cuLaunchKernelEx, (const LaunchConfig* config, Function function, void** parameters, void** extra))              \
  X(cuMemAlloc_v2, (DevicePointer * pointer, size_t bytes))                                                          \
  X(cuMemFree_v2, (DevicePointer pointer))                                                                           \
  X(cuMemHostAlloc, (void** pointer, size_t bytes, unsigned flags))                                                  \
  X(cuMemHostGetDevicePointer_v2, (DevicePointer * pointer, void* host, unsigned flags))                             \
  X(cuMemFreeHost, (void* pointer))                                                                                  \
  X(cuMemcpyHtoD_v2, (DevicePointer to, const void* from, size_t bytes))                                             \
  X(cuMemcpyDtoH_v2, (void* to, DevicePointer from, size_t bytes))                                                   \
  X(cuMemcpyHtoDAsync_v2, (DevicePointer to, const void* from, size_t bytes, Stream stream))                         \
  X(cuMemcpyDtoHAsync_v2, (void* to, DevicePointer from, size_t bytes, Stream stream))                               \
  X(cuMemcpyDtoDAsync_v2, (DevicePointer to, DevicePointer from, size_t bytes, Stream stream))                       \
  X(cuMemsetD8_v2, (DevicePointer to, unsigned char value, size_t count))                                            \
  X(cuMemsetD32_v2, (DevicePointer to, unsigned value, size_t count))                                                \
  X(cuMemsetD32Async, (DevicePointer to, unsigned value, size_t count, Stream stream))                               \
  X(cuPointerGetAttribute, (void* value, int attribute, DevicePointer pointer))                                      \
  X(cuIpcGetMemHandle, (IpcMemHandle * handle, DevicePointer pointer))                                               \
  X(cuIpcOpenMemHandle_v2, (DevicePointer * pointer, IpcMemHandle handle, unsigned flags))                           \
  X(cuIpcCloseMemHandle, (DevicePointer pointer))                                                                    \
  X(cuStreamCreate, (Stream * stream, unsigned flags))                                                               \
  X(cuStreamDestroy_v2, (Stream stream))                                                                             \
  X(cuStreamQuery, (Stream stream))                                                                                  \
  X(cuStreamSynchronize, (Stream stream))                                                                            \
  X(cuStreamWaitEvent, (Stream stream, Event event, unsigned flags))                                                 \
  X(cuStreamIsCapturing, (Stream stream, int* status))                                                               \
  X(cuStreamBeginCapture_v2, (Stream stream, int mode))                                                              \
  X(cuStreamEndCapture, (Stream stream, Graph * graph))                                                              \
  X(cuGraphInstantiateWithFlags, (GraphExec * exec, Graph graph, unsigned long long flags))                          \
  X(cuGraphUpload, (GraphExec exec, Stream stream))                                                                  \
  X(cuGraphGetNodes, (Graph graph, GraphNode * nodes, size_t * count))                                               \
  X(cuGraphNodeGetType, (GraphNode node, int* type))                                                                 \
  X(cuGraphKernelNodeGetParams_v2, (GraphNode node, KernelNodeParameters * parameters))                              \
  X(cuGraphKernelNodeGetAttribute, (GraphNode node, int attribute, void* value))                                     \
  X(cuKernelGetFunction, (Function * function, Kernel kernel))                                                       \
  X(cuGraphLaunch, (GraphExec exec, Stream stream))                                                                  \
  X(cuGraphExecDestroy, (GraphExec exec))                                                                            \
  X(cuGraphDestroy, (Graph graph))                                                                                   \
  X(cuEventCreate, (Event * event, unsigned flags))                                                                  \
  X(cuEventRecord, (Event event, Stream stream))                                                                     \
  X(cuEventQuery, (Event event))                                                                                     \
  X(cuEventSynchronize, (Event event))                                                                               \
  X(cuEventElapsedTime, (float* milliseconds, Event start, Event end))                                               \
  X(cuEventDestroy_v2, (Event event))

// Plain function pointers, so that tests can substitute their own functions.
struct CudaDriver {
// A name and a parameter list stand alone: NOLINTNEXTLINE(bugprone-macro-parentheses)
#define ONESHOT_CUDA_MEMBER(name, parameters) Status(*name) parameters = nullptr;
  ONESHOT_CUDA_FUNCTIONS(ONESHOT_CUDA_MEMBER)
#undef ONESHOT_CUDA_MEMBER

  // "cuModuleLoadData failed: CUDA_ERROR_NO_BINARY_FOR_GPU (no kernel image is available ...); CUDA driver 13.0".
  Result<void> Check(const char* call, Status status) const;
  std::string VersionText() const;  // "13.0", or "unknown"
};

// Loads libcuda and calls cuInit, once per process; the table never changes afterwards.
const Result<CudaDriver>& LoadCudaDriver();

// Returns the driver's error from the enclosing function: ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemFree_v2(pointer)).
#define ONESHOT_CUDA_RETURN_IF_ERROR(driver, call)                                              \
  do {                                                                                          \
    if (::jax_oneshot::Result<void> checked = (driver).Check(#call, (driver).call); !checked) { \
      return ::jax_oneshot::Err(std::move(checked).error());                                    \
    }                                                                                           \
  } while (false)

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_DRIVER_CUDA_DRIVER_H_
