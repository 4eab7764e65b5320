// SPDX-License-Identifier: Apache-2.0
// Implementation of replica_groups_builder.h.
#include "xla_pass/hlo_view/replica_groups_builder.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;

std::string EncodeMesh(const TestMesh& mesh) {
  Writer out;
  for (int64_t size : mesh.sizes) {
    out.Bytes(fields::mesh::kAxes, Writer().Integer(fields::mesh_axis::kSize, size).str());
  }
  out.Packed(fields::mesh::kDeviceIds, mesh.device_ids);
  if (mesh.reshape_dims.empty()) return out.Take();
  return out
      .Bytes(fields::mesh::kIotaTransform, Writer()
                                               .Packed(fields::iota_transform::kReshapeDims, mesh.reshape_dims)
                                               .Packed(fields::iota_transform::kTransposePerm, mesh.transpose_perm)
                                               .str())
      .Take();
}

std::string EncodeAxis(const TestMeshAxis& axis) {
  Writer out;
  out.Integer(fields::axis_ref::kMeshAxisIndex, axis.index);
  if (axis.size == 0) return out.Take();
  return out
      .Bytes(
          fields::axis_ref::kSubAxisInfo,
          Writer().Integer(fields::sub_axis::kPreSize, axis.pre_size).Integer(fields::sub_axis::kSize, axis.size).str())
      .Take();
}

}  // namespace

std::string TestMeshGroups(const TestMesh& mesh, const std::vector<TestMeshAxis>& axes) {
  Writer out;
  out.Bytes(fields::mesh_axes_replica_group_list::kMesh, EncodeMesh(mesh));
  for (const TestMeshAxis& axis : axes) out.Bytes(fields::mesh_axes_replica_group_list::kAxes, EncodeAxis(axis));
  return out.Take();
}

std::string TestIotaGroups(int64_t groups, int64_t size, const std::vector<int64_t>& reshape_dims,
                           const std::vector<int64_t>& transpose_perm) {
  return Writer()
      .Integer(fields::iota_replica_group_list::kNumReplicaGroups, groups)
      .Integer(fields::iota_replica_group_list::kNumDevicesPerGroup, size)
      .Packed(fields::iota_replica_group_list::kIotaReshapeDims, reshape_dims)
      .Packed(fields::iota_replica_group_list::kIotaTransposePerm, transpose_perm)
      .Take();
}

std::string TestGroup(const std::vector<int64_t>& ids) {
  return Writer().Packed(fields::replica_group::kReplicaIds, ids).Take();
}

}  // namespace jax_oneshot::hlo
