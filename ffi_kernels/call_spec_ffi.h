// SPDX-License-Identifier: Apache-2.0
// Builds a CallSpec from the attributes that XLA's typed FFI passes to a handler.
#ifndef FFI_KERNELS_CALL_SPEC_FFI_H_
#define FFI_KERNELS_CALL_SPEC_FFI_H_

#include "base/result.h"
#include "ffi_kernels/call_spec.h"
#include "xla/ffi/api/ffi.h"

namespace jax_oneshot {

// The error names every attribute that is missing, unknown or of the wrong type.
Result<CallSpec> ReadCallSpec(const xla::ffi::Dictionary& attributes);

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CALL_SPEC_FFI_H_
