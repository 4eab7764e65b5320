// SPDX-License-Identifier: Apache-2.0
// Which devices hold the same data, from a serialized OpSharding (a module has one for each entry parameter).
//
//   {replicated}                              ->  {}                         all devices
//   {mesh['dp'=2,'tp'=4] ['dp', none]}        ->  {{0,1,2,3},{4,5,6,7}}      the devices along 'tp'
#ifndef XLA_PASS_HLO_VIEW_SHARDING_H_
#define XLA_PASS_HLO_VIEW_SHARDING_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

// Groups of partition ids; empty: one group of all devices. Fails if no two devices are known to hold the same data:
// every axis shards a dimension, a sub-axis does, or the sharding is not over named axes of a mesh.
Result<std::vector<std::vector<int64_t>>> HoldersOfTheSame(std::string_view op_sharding);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_SHARDING_H_
