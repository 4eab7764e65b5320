// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/hlo_view/sharding.h"

#include <set>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/mesh_groups.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

// Calls visit(field) for each field of a message; false if a visit returns false or the message is malformed.
template <typename Visit>
bool ForEachField(std::string_view bytes, Visit visit) {
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (!visit(f)) return false;
  }
  return reader.ok();
}

struct NamedSharding {
  std::string_view mesh;
  std::set<int64_t> used_axes;
};

// False for sub-axes.
bool ReadAxis(std::string_view bytes, NamedSharding* sharding) {
  int64_t axis = 0;
  const bool whole = ForEachField(bytes, [&](const Field& f) {
    axis = static_cast<int64_t>(f.integer);
    return f.number == fields::axis_ref::kMeshAxisIndex && f.wire_type == wire::kVarint;
  });
  sharding->used_axes.insert(axis);
  return whole;
}

bool ReadDimension(std::string_view bytes, NamedSharding* sharding) {
  return ForEachField(bytes, [&](const Field& f) {
    if (f.number == fields::dim_sharding::kIsClosed) return true;
    return f.number == fields::dim_sharding::kAxes && f.wire_type == wire::kLengthDelimited &&
           ReadAxis(f.payload, sharding);
  });
}

// False for fields other than the mesh and the dimensions (e.g. unreduced axes).
bool ReadNamed(std::string_view bytes, NamedSharding* sharding) {
  return ForEachField(bytes, [&](const Field& f) {
    if (f.wire_type != wire::kLengthDelimited) return false;
    if (f.number == fields::named_sharding::kMesh) sharding->mesh = f.payload;
    if (f.number == fields::named_sharding::kDimShardings) return ReadDimension(f.payload, sharding);
    return f.number == fields::named_sharding::kMesh;
  });
}

int64_t CountAxes(std::string_view mesh) {
  int64_t count = 0;
  ForEachField(mesh, [&](const Field& f) {
    count += f.number == fields::mesh::kAxes ? 1 : 0;
    return true;
  });
  return count;
}

}  // namespace

Result<std::vector<std::vector<int64_t>>> HoldersOfTheSame(std::string_view op_sharding) {
  NamedSharding sharding;
  const bool known = ForEachField(op_sharding, [&](const Field& f) {
    return f.number == fields::op_sharding::kNamedSharding && f.wire_type == wire::kLengthDelimited &&
           ReadNamed(f.payload, &sharding);
  });
  if (!known) return Err("a sharding of another kind than whole axes of a mesh");
  // A mesh with a device but without axes is a maximal sharding: all data on that device.
  if (!sharding.mesh.empty() && CountAxes(sharding.mesh) == 0) return Err("a sharding onto one device");
  if (sharding.used_axes.empty()) return std::vector<std::vector<int64_t>>();
  // The devices along all other axes, encoded like a collective's groups.
  wire::Writer along;
  along.Bytes(fields::mesh_axes_replica_group_list::kMesh, sharding.mesh);
  bool any = false;
  for (int64_t axis = 0; axis < CountAxes(sharding.mesh); ++axis) {
    if (sharding.used_axes.count(axis) != 0) continue;
    const std::string ref = wire::Writer().Integer(fields::axis_ref::kMeshAxisIndex, axis).Take();
    along.Bytes(fields::mesh_axes_replica_group_list::kAxes, ref);
    any = true;
  }
  if (!any) return Err("every axis splits something");
  return ExpandMeshGroups(along.str());
}

}  // namespace jax_oneshot::hlo
