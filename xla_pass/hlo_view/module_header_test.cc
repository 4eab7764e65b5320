// SPDX-License-Identifier: Apache-2.0
// Name and devices of modules built field by field.
#include "xla_pass/hlo_view/module_header.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;

std::string Partition(const std::vector<int64_t>& ids) {
  return Writer().Packed(fields::computation_device::kReplicaDeviceIds, ids).Take();
}

std::string ModuleWith(const std::string& assignment) {
  return Writer()
      .Bytes(fields::hlo_module::kName, "jit_decode")
      .Bytes(fields::hlo_module::kComputations, "not looked into")
      .Bytes(fields::hlo_module::kDeviceAssignment, assignment)
      .Take();
}

TEST(ReadModuleHeader, GivesTheNameAndTheDevicesOfEveryPartition) {
  namespace field = fields::device_assignment;
  const std::string bytes = ModuleWith(Writer()
                                           .Integer(field::kReplicaCount, 2)
                                           .Integer(field::kComputationCount, 2)
                                           .Bytes(field::kComputationDevices, Partition({2048, 3}))
                                           .Bytes(field::kComputationDevices, Partition({1, 0}))
                                           .Take());
  const Result<ModuleHeader> header = ReadModuleHeader(bytes);
  ASSERT_TRUE(header) << header.error();
  EXPECT_EQ(header->name, "jit_decode");
  EXPECT_EQ(header->device_ids, (std::vector<int64_t>{2048, 3, 1, 0}));
}

TEST(ReadModuleHeader, HasNoDevicesWhereNoneAreAssigned) {
  const std::string bytes = Writer().Bytes(fields::hlo_module::kName, "m").Take();
  const Result<ModuleHeader> header = ReadModuleHeader(bytes);
  ASSERT_TRUE(header) << header.error();
  EXPECT_TRUE(header->device_ids.empty());
}

TEST(ReadModuleHeader, RefusesMalformedBytesWhereverTheyAre) {
  const std::string cut = std::string("\x0a\x7f") + "short";
  EXPECT_FALSE(ReadModuleHeader(cut));
  const Result<ModuleHeader> assignment = ReadModuleHeader(ModuleWith(cut));
  ASSERT_FALSE(assignment);
  EXPECT_EQ(assignment.error().find("malformed HloModuleProto: device assignment: "), 0u) << assignment.error();
  const std::string nested = Writer().Bytes(fields::device_assignment::kComputationDevices, cut).Take();
  EXPECT_FALSE(ReadModuleHeader(ModuleWith(nested)));
  // A truncated packed varint.
  const std::string ids = Writer().Bytes(fields::computation_device::kReplicaDeviceIds, "\x80").Take();
  EXPECT_FALSE(
      ReadModuleHeader(ModuleWith(Writer().Bytes(fields::device_assignment::kComputationDevices, ids).Take())));
}

}  // namespace
}  // namespace jax_oneshot::hlo
