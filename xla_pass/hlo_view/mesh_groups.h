// SPDX-License-Identifier: Apache-2.0
// Expands a serialized MeshAxesReplicaGroupListProto to explicit groups.
//
//   mesh['dp'=2,'tp'=4] {'tp'}          ->  {{0,1,2,3},{4,5,6,7}}
//   mesh['x'=8] {'x':(2)4}              ->  groups along the minor sub-axis of size 4 of x
#ifndef XLA_PASS_HLO_VIEW_MESH_GROUPS_H_
#define XLA_PASS_HLO_VIEW_MESH_GROUPS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

Result<std::vector<std::vector<int64_t>>> ExpandMeshGroups(std::string_view bytes);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_MESH_GROUPS_H_
