// SPDX-License-Identifier: Apache-2.0
// The custom-call's backend_config: an MLIR dictionary attribute as text, which XLA parses into the typed FFI
// attributes of ffi_kernels/call_attributes.h.
//
//   {algorithm = "one_shot", call = 0 : i64, channel_id = 1 : i64, group_mode = "flattened_id", group_size = 2 : i64,
//    groups = array<i64: 0, 1>, program = "v1 (...) {...} -> (...)", rows = 8 : i64, timeout_ms = 60000 : i64, ...}
#ifndef XLA_PASS_REWRITE_CALL_TEXT_H_
#define XLA_PASS_REWRITE_CALL_TEXT_H_

#include <cstdint>
#include <string>

#include "ffi_kernels/algorithm.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

struct CallNumbers {
  int64_t call = 0;  // index of the call within the module
  int64_t channel_id = 0;
  int64_t timeout_ms = 0;
  Algorithm algorithm = Algorithm::kOneShot;
};

std::string CallBackendConfig(const Region& region, const Site& site, const CallNumbers& numbers);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_CALL_TEXT_H_
