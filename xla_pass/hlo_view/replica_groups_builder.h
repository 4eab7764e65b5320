// SPDX-License-Identifier: Apache-2.0
// Builds serialized replica groups in every notation. For tests only.
#ifndef XLA_PASS_HLO_VIEW_REPLICA_GROUPS_BUILDER_H_
#define XLA_PASS_HLO_VIEW_REPLICA_GROUPS_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace jax_oneshot::hlo {

struct TestMesh {
  std::vector<int64_t> sizes;
  std::vector<int64_t> device_ids = {};
  std::vector<int64_t> reshape_dims = {}, transpose_perm = {};
};

struct TestMeshAxis {
  int64_t index = 0;
  int64_t pre_size = 0, size = 0;  // size 0: the whole axis
};

std::string TestMeshGroups(const TestMesh& mesh, const std::vector<TestMeshAxis>& axes);
std::string TestIotaGroups(int64_t groups, int64_t size, const std::vector<int64_t>& reshape_dims,
                           const std::vector<int64_t>& transpose_perm);
std::string TestGroup(const std::vector<int64_t>& ids);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_REPLICA_GROUPS_BUILDER_H_
