// SPDX-License-Identifier: Apache-2.0
// Compares the types, numbers and functions of cuda_driver.h and nvrtc.h with NVIDIA's own headers. Nothing runs: it
// compiles, or an assertion says what differs. test_cuda_abi.py compiles it, because Bazel does not know where those
// headers are.
#define __CUDA_API_VERSION_INTERNAL  // declares every version of a function by its symbol, without macros for the
                                     // newest
#include <cuda.h>
#include <nvrtc.h>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"

namespace jax_oneshot::cuda {
namespace {

// --- types -----------------------------------------------------------------------------------------------------------

#define SAME_TYPE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs) && alignof(ours) == alignof(theirs))
#define SAME_MEMBER(ours, member, theirs, their_member)                     \
  static_assert(offsetof(ours, member) == offsetof(theirs, their_member) && \
                sizeof(ours{}.member) == sizeof(std::declval<theirs>().their_member))
// Three unsigned numbers, which theirs names apart.
#define SAME_EXTENT(ours, member, theirs, x, y, z)                                  \
  static_assert(offsetof(ours, member) == offsetof(theirs, x) &&                    \
                offsetof(ours, member) + sizeof(unsigned) == offsetof(theirs, y) && \
                offsetof(ours, member) + 2 * sizeof(unsigned) == offsetof(theirs, z))

SAME_TYPE(Status, CUresult);
SAME_TYPE(Device, CUdevice);
SAME_TYPE(DevicePointer, CUdeviceptr);
SAME_TYPE(IpcMemHandle, CUipcMemHandle);

SAME_TYPE(LaunchAttribute, CUlaunchAttribute);
SAME_MEMBER(LaunchAttribute, id, CUlaunchAttribute, id);
SAME_MEMBER(LaunchAttribute, value, CUlaunchAttribute, value);
static_assert(offsetof(CUlaunchAttributeValue, clusterDim) == 0);
static_assert(offsetof(CUlaunchAttributeValue, programmaticStreamSerializationAllowed) == 0);
static_assert(sizeof(CUlaunchAttributeValue::programmaticStreamSerializationAllowed) == sizeof(int));
static_assert(sizeof(CUlaunchAttributeValue::clusterDim) == 3 * sizeof(unsigned));

SAME_TYPE(LaunchConfig, CUlaunchConfig);
SAME_EXTENT(LaunchConfig, grid, CUlaunchConfig, gridDimX, gridDimY, gridDimZ);
SAME_EXTENT(LaunchConfig, block, CUlaunchConfig, blockDimX, blockDimY, blockDimZ);
SAME_MEMBER(LaunchConfig, shared_bytes, CUlaunchConfig, sharedMemBytes);
SAME_MEMBER(LaunchConfig, stream, CUlaunchConfig, hStream);
SAME_MEMBER(LaunchConfig, attributes, CUlaunchConfig, attrs);
SAME_MEMBER(LaunchConfig, attribute_count, CUlaunchConfig, numAttrs);

SAME_TYPE(KernelNodeParameters, CUDA_KERNEL_NODE_PARAMS_v2);
SAME_MEMBER(KernelNodeParameters, function, CUDA_KERNEL_NODE_PARAMS_v2, func);
SAME_EXTENT(KernelNodeParameters, grid, CUDA_KERNEL_NODE_PARAMS_v2, gridDimX, gridDimY, gridDimZ);
SAME_EXTENT(KernelNodeParameters, block, CUDA_KERNEL_NODE_PARAMS_v2, blockDimX, blockDimY, blockDimZ);
SAME_MEMBER(KernelNodeParameters, shared_bytes, CUDA_KERNEL_NODE_PARAMS_v2, sharedMemBytes);
SAME_MEMBER(KernelNodeParameters, parameters, CUDA_KERNEL_NODE_PARAMS_v2, kernelParams);
SAME_MEMBER(KernelNodeParameters, extra, CUDA_KERNEL_NODE_PARAMS_v2, extra);
SAME_MEMBER(KernelNodeParameters, kernel, CUDA_KERNEL_NODE_PARAMS_v2, kern);
SAME_MEMBER(KernelNodeParameters, context, CUDA_KERNEL_NODE_PARAMS_v2, ctx);

// --- numbers ---------------------------------------------------------------------------------------------------------

#define SAME_NUMBER(ours, theirs) static_assert(static_cast<long long>(ours) == static_cast<long long>(theirs))

SAME_NUMBER(kSuccess, CUDA_SUCCESS);
SAME_NUMBER(kErrorNotReady, CUDA_ERROR_NOT_READY);

SAME_NUMBER(kMaxThreadsPerBlock, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
SAME_NUMBER(kMultiprocessorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME_NUMBER(kClockRate, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
SAME_NUMBER(kMaxThreadsPerMultiprocessor, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
SAME_NUMBER(kComputeCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME_NUMBER(kComputeCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME_NUMBER(kMaxRegistersPerMultiprocessor, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
SAME_NUMBER(kMaxSharedMemoryPerBlockOptin, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);

SAME_NUMBER(kFunctionLocalSizeBytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
SAME_NUMBER(kFunctionNumRegs, CU_FUNC_ATTRIBUTE_NUM_REGS);
SAME_NUMBER(kFunctionPreferredSharedMemory, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT);
SAME_NUMBER(kFunctionRequiredClusterWidth, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH);
SAME_NUMBER(kFunctionRequiredClusterWidth + 1, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT);
SAME_NUMBER(kFunctionRequiredClusterWidth + 2, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH);
SAME_NUMBER(kFunctionNonPortableClusterSizeAllowed, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);

SAME_NUMBER(kPointerContext, CU_POINTER_ATTRIBUTE_CONTEXT);
SAME_NUMBER(kPointerMemoryType, CU_POINTER_ATTRIBUTE_MEMORY_TYPE);
SAME_NUMBER(kPointerDeviceOrdinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL);

SAME_NUMBER(kHostAllocPortable, CU_MEMHOSTALLOC_PORTABLE);
SAME_NUMBER(kHostAllocDeviceMap, CU_MEMHOSTALLOC_DEVICEMAP);
SAME_NUMBER(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);
SAME_NUMBER(kEventDisableTiming, CU_EVENT_DISABLE_TIMING);
SAME_NUMBER(kIpcMemLazyEnablePeerAccess, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
SAME_NUMBER(kCaptureRelaxed, CU_STREAM_CAPTURE_MODE_RELAXED);
SAME_NUMBER(kCaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
SAME_NUMBER(kLaunchClusterDimension, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
SAME_NUMBER(kLaunchProgrammaticStreamSerialization, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
SAME_NUMBER(kGraphNodeKernel, CU_GRAPH_NODE_TYPE_KERNEL);

// --- functions -------------------------------------------------------------------------------------------------------

// Handles are pointers to types of our own, and enumerations are int: passed alike, they are the same to the ABI.
template <typename Ours, typename Theirs>
inline constexpr bool kPassedAlike =
    sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>&& std::is_class_v<Ours> ==
                                          std::is_class_v<Theirs>;

template <typename Ours, typename Theirs>
inline constexpr bool kCalledAlike = false;
template <typename... Ours, typename Result, typename... Theirs>
inline constexpr bool kCalledAlike<Status (*)(Ours...), Result (*)(Theirs...)> = [] {
  if constexpr (sizeof...(Ours) == sizeof...(Theirs)) {
    return kPassedAlike<Status, Result> && (kPassedAlike<Ours, Theirs> && ...);
  } else {
    return false;
  }
}();

#define SAME_FUNCTION(name, parameters) \
  static_assert(kCalledAlike<decltype(CudaDriver::name), decltype(&::name)>, #name);
ONESHOT_CUDA_FUNCTIONS(SAME_FUNCTION)

#define SAME_NVRTC_FUNCTION(name, parameters) \
  static_assert(kCalledAlike<decltype(Nvrtc::name), decltype(&::name)>, #name);
ONESHOT_NVRTC_FUNCTIONS(SAME_NVRTC_FUNCTION)

// What the check must notice.
using One = Status (*)(int);
static_assert(!kCalledAlike<One, CUresult (*)(void*)>);
static_assert(!kCalledAlike<One, CUresult (*)(int, int)>);
static_assert(!kCalledAlike<One, CUresult (*)(size_t)>);
static_assert(kCalledAlike<One, CUresult (*)(CUdevice)>);

}  // namespace
}  // namespace jax_oneshot::cuda
