// SPDX-License-Identifier: Apache-2.0
// Gets the communicator of a call's replica groups (an ncclComm_t) from XLA's FFI collectives extension.
//
// Prepare requests it, so that XLA creates it (or finds it: XLA's own collectives of these groups use the same one) and
// locks it for this run; Initialize gets it. The extension's minor version grew between jaxlib 0.11.2 (1:
// communicators) and 0.12 (2: windows too). It only ever grows at its end, so we accept any version from 1 on; the
// header's own tag would require exactly the version that it was built with.
#ifndef FFI_KERNELS_CUDA_HANDLER_COLLECTIVES_H_
#define FFI_KERNELS_CUDA_HANDLER_COLLECTIVES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/comm/groups.h"
#include "xla/ffi/api/collectives_api.h"
#include "xla/ffi/api/ffi.h"

namespace jax_oneshot::cuda {

// A call's groups in the form that XLA needs; made once per call.
struct CliqueRequest {
  explicit CliqueRequest(const Groups& groups);

  xla::ffi::GroupMode mode;
  std::vector<std::vector<int64_t>> groups;
};

// The extension in one invocation of a handler.
class Collectives {
 public:
  Collectives(const XLA_FFI_Api* api, const XLA_FFI_Collectives_Extension* extension)
      : api_(api), extension_(extension) {}

  Result<void> Request(const CliqueRequest& request) const;  // Prepare only
  Result<void*> Get(const CliqueRequest& request) const;     // Initialize and Execute

 private:
  Result<void> Check(XLA_FFI_Error* error) const;

  const XLA_FFI_Api* api_;
  const XLA_FFI_Collectives_Extension* extension_;
};

// The tag to bind it with: .Ctx<ffi::Extension<CollectivesTag>>().
struct CollectivesTag : xla::ffi::internal::CollectivesExtensionBase<Collectives> {
  static bool Support(int32_t major_version, int32_t minor_version) { return major_version == 0 && minor_version >= 1; }
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_COLLECTIVES_H_
