// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/all_reduce_bytes.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

namespace field = hlo::fields::hlo_instruction;

bool SaysWhoTakesPart(uint32_t number) {
  return number == field::kReplicaGroups || number == field::kCollectiveDeviceList ||
         number == field::kIotaCollectiveDeviceList || number == field::kMeshAxesReplicaGroupList;
}

}  // namespace

std::string AllReduceAmong(const hlo::Instruction& all_reduce, const Groups& groups,
                           const std::vector<int64_t>& operand_ids) {
  wire::Writer out;
  wire::Reader reader(all_reduce.bytes);
  wire::Field f;
  while (reader.Next(&f)) {
    if (!SaysWhoTakesPart(f.number) && f.number != field::kOperandIds) out.Verbatim(f.bytes);
  }
  out.Packed(field::kOperandIds, operand_ids);
  for (const std::vector<int64_t>& group : groups) {
    out.Bytes(field::kReplicaGroups, wire::Writer().Packed(hlo::fields::replica_group::kReplicaIds, group).Take());
  }
  return out.Take();
}

}  // namespace jax_oneshot
