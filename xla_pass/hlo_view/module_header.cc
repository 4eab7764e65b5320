// SPDX-License-Identifier: Apache-2.0
// Implementation of module_header.h.
#include "xla_pass/hlo_view/module_header.h"

#include <string>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

// One DeviceAssignmentProto.ComputationDevice: the devices of one partition, by replica.
Result<void> AppendPartition(std::string_view bytes, std::vector<int64_t>* ids) {
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number != fields::computation_device::kReplicaDeviceIds) continue;
    if (!wire::AppendIntegers(f, ids)) return Err("malformed device ids");
  }
  return reader.ok() ? Result<void>() : Err(reader.error());
}

Result<void> ReadDeviceIds(std::string_view bytes, std::vector<int64_t>* ids) {
  Reader reader(bytes);
  Field f;
  while (reader.Next(&f)) {
    if (f.number != fields::device_assignment::kComputationDevices || f.wire_type != wire::kLengthDelimited) continue;
    if (Result<void> read = AppendPartition(f.payload, ids); !read) return read;
  }
  return reader.ok() ? Result<void>() : Err(reader.error());
}

}  // namespace

Result<ModuleHeader> ReadModuleHeader(std::string_view module) {
  ModuleHeader header;
  Reader reader(module);
  Field f;
  while (reader.Next(&f)) {
    if (f.wire_type != wire::kLengthDelimited) continue;
    if (f.number == fields::hlo_module::kName) header.name = f.payload;
    if (f.number != fields::hlo_module::kDeviceAssignment) continue;
    header.device_ids.clear();
    const Result<void> read = ReadDeviceIds(f.payload, &header.device_ids);
    if (!read) return Err("malformed HloModuleProto: device assignment: " + read.error());
  }
  if (!reader.ok()) return Err("malformed HloModuleProto: " + reader.error());
  return header;
}

}  // namespace jax_oneshot::hlo
