// SPDX-License-Identifier: Apache-2.0
// Reads the top-level fields of a serialized HloModuleProto without parsing its computations.
#ifndef XLA_PASS_HLO_VIEW_MODULE_HEADER_H_
#define XLA_PASS_HLO_VIEW_MODULE_HEADER_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

struct ModuleHeader {
  std::string_view name;  // points into the module's bytes
  // Ids, unique across processes, of the devices that the module is compiled for; empty if not assigned yet.
  std::vector<int64_t> device_ids;
};

Result<ModuleHeader> ReadModuleHeader(std::string_view module);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_MODULE_HEADER_H_
