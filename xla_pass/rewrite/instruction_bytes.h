// SPDX-License-Identifier: Apache-2.0
// Serializes new HloInstructionProtos.
#ifndef XLA_PASS_REWRITE_INSTRUCTION_BYTES_H_
#define XLA_PASS_REWRITE_INSTRUCTION_BYTES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/rewrite/in_place_results.h"

namespace jax_oneshot {

struct InstructionIdentity {
  std::string name;
  int64_t id = 0;
  std::string_view metadata;  // OpMetadata, serialized; may be empty
};

// The shape's own bytes, plus a row-major layout if it has none.
std::string ShapeWithLayout(const hlo::Shape& shape);
std::string RowMajorShape(const hlo::Shape& shape);
std::string TupleShape(const std::vector<std::string>& element_shapes);

struct CustomCall {
  InstructionIdentity identity;
  std::string_view target;
  std::string shape;
  std::vector<int64_t> operand_ids;
  std::vector<std::string> operand_shapes;
  std::string backend_config;
  bool returns_tuple = false;
  std::vector<InPlaceResult> in_place;
};

std::string CustomCallBytes(const CustomCall& call);
std::string GetTupleElementBytes(const InstructionIdentity& identity, const std::string& shape, int64_t tuple_id,
                                 int64_t index);
// Copies the operand into the layout of `shape`.
std::string CopyBytes(const InstructionIdentity& identity, const std::string& shape, int64_t operand_id);
// An opt-barrier, which keeps the operand apart from its users.
std::string BarrierBytes(const InstructionIdentity& identity, const std::string& shape, int64_t operand_id);
// partition-id or replica-id: a u32 scalar.
std::string LogicalIdBytes(const InstructionIdentity& identity, std::string_view opcode);
std::string U32ScalarShape();

// The same instruction with another identity and other operands.
std::string CloneBytes(const hlo::Instruction& original, const InstructionIdentity& identity,
                       const std::vector<int64_t>& operand_ids);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_INSTRUCTION_BYTES_H_
