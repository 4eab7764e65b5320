// SPDX-License-Identifier: Apache-2.0
// The FFI handlers of the custom-call target for platform "CUDA".
//
//   Instantiate   once per call of an executable: check the attributes, compile the kernel if there is a GPU
//   Prepare       every run: request the group's communicator from XLA
//   Initialize    every run; returns at once except the first time per device: make workspace and kernel ready
//   Execute       every run, or once while a command buffer is recorded: check the buffers, one launch
#ifndef FFI_KERNELS_CUDA_HANDLER_HANDLER_H_
#define FFI_KERNELS_CUDA_HANDLER_HANDLER_H_

#include "xla/ffi/api/ffi.h"

namespace jax_oneshot {

inline constexpr char kCudaStateTypeName[] = "jax_oneshot.cuda_call_state";

XLA_FFI_Handler* CudaInstantiateHandler();
XLA_FFI_Handler* CudaPrepareHandler();
XLA_FFI_Handler* CudaInitializeHandler();
XLA_FFI_Handler* CudaExecuteHandler();
// The same, but XLA must not record it into a command buffer; for kGraphEndTarget.
XLA_FFI_Handler* CudaGraphEndExecuteHandler();
XLA_FFI_TypeId* CudaStateTypeId();  // XLA writes the id that it assigns
const XLA_FFI_TypeInfo* CudaStateTypeInfo();

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CUDA_HANDLER_HANDLER_H_
