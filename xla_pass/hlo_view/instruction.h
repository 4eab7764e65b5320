// SPDX-License-Identifier: Apache-2.0
// Instruction: a read-only view of one HloInstructionProto.
#ifndef XLA_PASS_HLO_VIEW_INSTRUCTION_H_
#define XLA_PASS_HLO_VIEW_INSTRUCTION_H_

#include <cstdint>
#include <string_view>

#include "base/span.h"
#include "xla_pass/hlo_view/opcode.h"
#include "xla_pass/hlo_view/shape.h"

namespace jax_oneshot::hlo {

struct Instruction {
  // The fields read for every instruction come first and are kept compact: large modules do not fit in a cache.
  Opcode opcode = Opcode::kOther;
  bool use_global_device_ids = false;
  Span<int> operands;              // indices into Computation::instructions
  Span<int> control_predecessors;  // the same
  Span<int> called_computations;   // indices into Module::computations
  const Shape* shape = nullptr;    // owned by the module
  std::string_view bytes;          // the whole HloInstructionProto
  std::string_view name;
  std::string_view opcode_name;  // HLO's spelling, "all-reduce"
  Span<int64_t> dimensions;      // broadcast, reduce, transpose, ...
  int64_t id = 0;
  int64_t number = 0;      // of a parameter; index of a get-tuple-element
  int64_t channel_id = 0;  // <= 0: none

  // Rare fields are decoded from `bytes` on demand; empty if absent.
  std::string_view metadata() const;  // OpMetadata, serialized
  std::string_view custom_call_target() const;
  std::string_view comparison_direction() const;  // "LT"
  std::string_view fusion_kind() const;           // "kLoop"
  bool is_total_order() const;                    // compare: distinguishes zeros and NaNs, in either encoding
  std::string_view literal() const;               // LiteralProto, serialized (constants)
  std::string_view window() const;                // Window, serialized (reduce-window)

 private:
  std::string_view Find(uint32_t field) const;
};

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_INSTRUCTION_H_
