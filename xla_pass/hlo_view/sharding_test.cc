// SPDX-License-Identifier: Apache-2.0
// HoldersOfTheSame on shardings that JAX writes and on some that it does not.
#include "xla_pass/hlo_view/sharding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;
using Axes = std::vector<int64_t>;

std::string Mesh(const Axes& sizes) {
  Writer mesh;
  for (int64_t size : sizes) {
    mesh.Bytes(fields::mesh::kAxes, Writer().Integer(fields::mesh_axis::kSize, size).str());
  }
  return mesh.Take();
}

std::string Axis(int64_t axis) { return Writer().Integer(fields::axis_ref::kMeshAxisIndex, axis).Take(); }

// Shards each dimension over the named axes; `more`: further serialized fields of the named sharding.
std::string Sharding(const std::string& mesh, const std::vector<Axes>& dimensions, const std::string& more = "") {
  Writer named;
  named.Bytes(fields::named_sharding::kMesh, mesh);
  for (const Axes& axes : dimensions) {
    Writer dimension;
    for (int64_t axis : axes) dimension.Bytes(fields::dim_sharding::kAxes, Axis(axis));
    named.Bytes(fields::named_sharding::kDimShardings, dimension.Integer(fields::dim_sharding::kIsClosed, 1).str());
  }
  return Writer().Bytes(fields::op_sharding::kNamedSharding, named.Take() + more).Take();
}

std::string Holders(const std::string& sharding) {
  const auto groups = HoldersOfTheSame(sharding);
  if (!groups) return groups.error();
  std::string text;
  for (const auto& group : *groups) {
    text += "{";
    for (int64_t id : group) text += std::to_string(id) + " ";
    text.back() = '}';
  }
  return text.empty() ? "everybody" : text;
}

TEST(HoldersOfTheSame, AreAllOfThemWhereNothingIsSplit) {
  EXPECT_EQ(Holders(Sharding(Mesh({2, 4}), {{}, {}})), "everybody");
  EXPECT_EQ(Holders(Sharding("", {})), "everybody") << "as JAX writes a replicated array";
  EXPECT_EQ(Holders(""), "everybody") << "the proto's default type is REPLICATED";
}

TEST(HoldersOfTheSame, LieAlongTheAxesThatSplitNothing) {
  EXPECT_EQ(Holders(Sharding(Mesh({2, 4}), {{0}, {}})), "{0 1 2 3}{4 5 6 7}");
  EXPECT_EQ(Holders(Sharding(Mesh({2, 4}), {{}, {1}})), "{0 4}{1 5}{2 6}{3 7}");
  EXPECT_EQ(Holders(Sharding(Mesh({2, 2, 2}), {{1}})), "{0 1 4 5}{2 3 6 7}");
}

TEST(HoldersOfTheSame, AreNotKnownWhereEveryAxisSplits) {
  EXPECT_EQ(Holders(Sharding(Mesh({2, 4}), {{0}, {1}})), "every axis splits something");
  EXPECT_EQ(Holders(Sharding(Mesh({8}), {{0}})), "every axis splits something");
}

TEST(HoldersOfTheSame, AreNotKnownOfOtherShardings) {
  const std::string other = "a sharding of another kind than whole axes of a mesh";
  EXPECT_EQ(Holders(Writer().Integer(1, 1).str()), other) << "an OpSharding by type and tiles";
  EXPECT_EQ(Holders(Sharding(Mesh({8}), {}, Writer().Bytes(5, Axis(0)).str())), other)
      << "axes that hold parts of sums";
  const std::string part = Writer().Bytes(fields::axis_ref::kSubAxisInfo, "").str();
  const std::string dimension = Writer().Bytes(fields::dim_sharding::kAxes, part).Take();
  EXPECT_EQ(Holders(Sharding(Mesh({8}), {}, Writer().Bytes(fields::named_sharding::kDimShardings, dimension).str())),
            other)
      << "part of an axis";
  EXPECT_EQ(Holders("\xff"), other);
  EXPECT_EQ(Holders(Sharding(Writer().Packed(fields::mesh::kDeviceIds, {3}).str(), {})), "a sharding onto one device");
}

}  // namespace
}  // namespace jax_oneshot::hlo
