// In:  XLA's calls of the custom-call target on GPU. Out: the handlers to register for it (platform "CUDA", typed FFI).
//
// The kernels do not exist yet. Instantiate reads and checks the call as the CPU's does, so that a module compiled
// for GPUs is checked in full; execute returns an error that says what to do.
#ifndef FFI_KERNELS_CUDA_HANDLER_H_
#define FFI_KERNELS_CUDA_HANDLER_H_

#include "xla/ffi/api/ffi.h"

namespace jax_oneshot {

inline constexpr char kCudaStateTypeName[] = "jax_oneshot.cuda_call_state";

XLA_FFI_Handler* CudaInstantiateHandler();
XLA_FFI_Handler* CudaExecuteHandler();
XLA_FFI_TypeId* CudaStateTypeId();  // XLA writes the id it chose
const XLA_FFI_TypeInfo* CudaStateTypeInfo();

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CUDA_HANDLER_H_
