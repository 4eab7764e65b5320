// SPDX-License-Identifier: Apache-2.0
// Implementation of mesh_groups.h.
#include "xla_pass/hlo_view/mesh_groups.h"

#include <algorithm>
#include <string>
#include <utility>

#include "xla_pass/hlo_view/device_order.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

struct AxisRef {
  int64_t axis = 0;
  int64_t pre_size = 1;
  int64_t size = 0;  // 0: the whole axis
};

struct Mesh {
  std::vector<int64_t> sizes;  // of its axes
  std::vector<int64_t> devices;
};

// Calls `visit` for every field of a message.
template <typename Visit>
Result<void> ReadFields(std::string_view bytes, Visit visit) {
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (Result<void> ok = visit(f); !ok) return ok;
  }
  return reader.ok() ? Result<void>() : Err(reader.error());
}

Result<void> AppendTo(const Field& f, std::vector<int64_t>* out) {
  return AppendIntegers(f, out) ? Result<void>() : Err("a list of integers is malformed");
}

Result<AxisRef> ReadAxisRef(std::string_view bytes) {
  AxisRef ref;
  Result<void> ok = ReadFields(bytes, [&](const Field& f) -> Result<void> {
    if (f.number == fields::axis_ref::kMeshAxisIndex) ref.axis = static_cast<int64_t>(f.integer);
    if (f.number != fields::axis_ref::kSubAxisInfo) return {};
    return ReadFields(f.payload, [&](const Field& sub) -> Result<void> {
      if (sub.number == fields::sub_axis::kPreSize) ref.pre_size = static_cast<int64_t>(sub.integer);
      if (sub.number == fields::sub_axis::kSize) ref.size = static_cast<int64_t>(sub.integer);
      return {};
    });
  });
  if (!ok) return Err(ok.error());
  return ref;
}

Result<int64_t> ReadAxisSize(std::string_view bytes) {
  int64_t size = 0;
  Result<void> ok = ReadFields(bytes, [&](const Field& f) -> Result<void> {
    if (f.number == fields::mesh_axis::kSize) size = static_cast<int64_t>(f.integer);
    return {};
  });
  if (!ok) return Err(ok.error());
  return size;
}

Result<Mesh> ReadMesh(std::string_view bytes) {
  Mesh mesh;
  std::vector<int64_t> ids, reshape_dims, permutation;
  Result<void> ok = ReadFields(bytes, [&](const Field& f) -> Result<void> {
    if (f.number == fields::mesh::kDeviceIds) return AppendTo(f, &ids);
    if (f.number == fields::mesh::kAxes) {
      Result<int64_t> size = ReadAxisSize(f.payload);
      if (!size) return Err(size.error());
      mesh.sizes.push_back(*size);
    }
    if (f.number != fields::mesh::kIotaTransform) return {};
    return ReadFields(f.payload, [&](const Field& sub) -> Result<void> {
      if (sub.number == fields::iota_transform::kReshapeDims) return AppendTo(sub, &reshape_dims);
      if (sub.number == fields::iota_transform::kTransposePerm) return AppendTo(sub, &permutation);
      return {};
    });
  });
  if (!ok) return Err(ok.error());
  const Result<int64_t> count = CheckedProduct(mesh.sizes);
  if (!count) return Err("the mesh's " + count.error());
  if (ids.empty()) ids = Iota(*count);
  if (*count != static_cast<int64_t>(ids.size())) {
    return Err("the mesh's axes multiply to " + std::to_string(*count) + ", but it has " + std::to_string(ids.size()) +
               " devices");
  }
  if (!reshape_dims.empty()) {
    Result<std::vector<int64_t>> rearranged = Rearrange(ids, reshape_dims, permutation);
    if (!rearranged) return Err("the mesh's device order: " + rearranged.error());
    ids = *std::move(rearranged);
  }
  mesh.devices = std::move(ids);
  return mesh;
}

// A sub-axis: the digits of the axis index with place values from `begin` up to `end`.
struct Piece {
  int64_t axis, begin, end;  // both divide the axis size; the piece has end / begin values
};

// Splits every axis into pieces at the boundaries of the referenced sub-axes, major to minor.
class PieceList {
 public:
  explicit PieceList(const Mesh& mesh) : mesh_(mesh) {}

  Result<void> Build(const std::vector<AxisRef>& refs) {
    for (int64_t axis = 0; axis < static_cast<int64_t>(mesh_.sizes.size()); ++axis) {
      std::vector<int64_t> borders = {1, mesh_.sizes[axis]};
      for (const AxisRef& ref : refs) {
        if (ref.axis != axis) continue;
        const int64_t size = ref.size == 0 ? mesh_.sizes[axis] : ref.size;
        if (ref.pre_size < 1 || size < 1 || ref.pre_size > kMaxDevices || size > kMaxDevices ||
            mesh_.sizes[axis] % (ref.pre_size * size) != 0) {
          return Err("sub-axis (" + std::to_string(ref.pre_size) + ")" + std::to_string(size) +
                     " does not divide an axis of size " + std::to_string(mesh_.sizes[axis]));
        }
        borders.push_back(ref.pre_size);
        borders.push_back(ref.pre_size * size);
      }
      if (Result<void> ok = AddPieces(axis, std::move(borders)); !ok) return ok;
    }
    return {};
  }

  const std::vector<Piece>& pieces() const { return pieces_; }
  std::vector<int64_t> Sizes() const {
    std::vector<int64_t> sizes;
    for (const Piece& piece : pieces_) sizes.push_back(piece.end / piece.begin);
    return sizes;
  }

 private:
  Result<void> AddPieces(int64_t axis, std::vector<int64_t> borders) {
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
      if (borders[i + 1] % borders[i] != 0) return Err("sub-axes of one axis overlap");
      pieces_.push_back({axis, borders[i], borders[i + 1]});
    }
    return {};
  }

  const Mesh& mesh_;
  std::vector<Piece> pieces_;
};

struct MeshAxes {
  Mesh mesh;
  std::vector<AxisRef> refs;
};

Result<void> CheckMeshAxes(const MeshAxes& axes) {
  const size_t count = axes.mesh.sizes.size();
  if (count > kMaxDeviceDims || axes.refs.size() > kMaxDeviceDims) {
    return Err("a mesh of " + std::to_string(count) + " axes, " + std::to_string(axes.refs.size()) +
               " of them referred to; expected at most " + std::to_string(kMaxDeviceDims));
  }
  for (const AxisRef& ref : axes.refs) {
    if (ref.axis < 0 || ref.axis >= static_cast<int64_t>(count)) {
      return Err("axis " + std::to_string(ref.axis) + " is not one of the mesh's " + std::to_string(count));
    }
  }
  return {};
}

Result<MeshAxes> ReadMeshAxes(std::string_view bytes) {
  namespace field = fields::mesh_axes_replica_group_list;
  Result<Mesh> mesh = Err("a mesh is missing");
  std::vector<AxisRef> refs;
  Result<void> ok = ReadFields(bytes, [&](const Field& f) -> Result<void> {
    if (f.number == field::kMesh) {
      mesh = ReadMesh(f.payload);
    } else if (f.number == field::kAxes) {
      Result<AxisRef> ref = ReadAxisRef(f.payload);
      if (!ref) return Err(ref.error());
      refs.push_back(*ref);
    }
    return {};
  });
  if (!ok) return Err(ok.error());
  if (!mesh) return Err(mesh.error());
  MeshAxes axes{*std::move(mesh), std::move(refs)};
  if (ok = CheckMeshAxes(axes); !ok) return Err(ok.error());
  return axes;
}

// Indices of the pieces that form the groups, in the order of the references.
std::vector<int64_t> PiecesInside(const MeshAxes& axes, const std::vector<Piece>& pieces) {
  std::vector<int64_t> inside;
  for (const AxisRef& ref : axes.refs) {
    const int64_t size = ref.size == 0 ? axes.mesh.sizes[ref.axis] : ref.size;
    for (size_t p = 0; p < pieces.size(); ++p) {
      const Piece& piece = pieces[p];
      if (piece.axis != ref.axis || piece.begin < ref.pre_size || piece.end > ref.pre_size * size) continue;
      inside.push_back(static_cast<int64_t>(p));
    }
  }
  return inside;
}

// A permutation of all pieces: those outside the groups in mesh order, then `inside`.
std::vector<int64_t> OutsideFirst(const std::vector<int64_t>& inside, size_t count) {
  std::vector<int64_t> order;
  for (size_t p = 0; p < count; ++p) {
    const auto piece = static_cast<int64_t>(p);
    if (std::find(inside.begin(), inside.end(), piece) == inside.end()) order.push_back(piece);
  }
  order.insert(order.end(), inside.begin(), inside.end());
  return order;
}

}  // namespace

Result<std::vector<std::vector<int64_t>>> ExpandMeshGroups(std::string_view bytes) {
  Result<MeshAxes> axes = ReadMeshAxes(bytes);
  if (!axes) return Err(axes.error());
  PieceList list(axes->mesh);
  if (Result<void> ok = list.Build(axes->refs); !ok) return Err(ok.error());
  const std::vector<int64_t> inside = PiecesInside(*axes, list.pieces());
  int64_t group_size = 1;
  for (int64_t p : inside) group_size *= list.pieces()[p].end / list.pieces()[p].begin;
  Result<std::vector<int64_t>> order =
      Rearrange(axes->mesh.devices, list.Sizes(), OutsideFirst(inside, list.pieces().size()));
  if (!order) return Err("the groups' axes overlap: " + order.error());
  std::vector<std::vector<int64_t>> groups;
  for (auto it = order->begin(); it != order->end(); it += group_size) groups.emplace_back(it, it + group_size);
  return groups;
}

}  // namespace jax_oneshot::hlo
