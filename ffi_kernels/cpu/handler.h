// SPDX-License-Identifier: Apache-2.0
// The FFI handlers of the custom-call target for platform "cpu".
//
// Register {"instantiate": CpuInstantiateHandler(), "execute": CpuExecuteHandler()} and, before the first use, the
// state's type {"type_id": CpuStateTypeId(), "type_info": CpuStateTypeInfo()} under the name kCpuStateTypeName.
#ifndef FFI_KERNELS_CPU_HANDLER_H_
#define FFI_KERNELS_CPU_HANDLER_H_

#include "xla/ffi/api/ffi.h"

namespace jax_oneshot {

inline constexpr char kCpuStateTypeName[] = "jax_oneshot.cpu_call_state";

XLA_FFI_Handler* CpuInstantiateHandler();
XLA_FFI_Handler* CpuExecuteHandler();
XLA_FFI_TypeId* CpuStateTypeId();  // XLA writes the id that it assigns
const XLA_FFI_TypeInfo* CpuStateTypeInfo();

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_HANDLER_H_
