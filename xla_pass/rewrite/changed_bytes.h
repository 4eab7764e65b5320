// SPDX-License-Identifier: Apache-2.0
// Serialized instructions and computations with some fields changed; all other fields are kept.
#ifndef XLA_PASS_REWRITE_CHANGED_BYTES_H_
#define XLA_PASS_REWRITE_CHANGED_BYTES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

struct InstructionChanges {
  std::optional<std::string> name;
  std::optional<int64_t> id;
  std::optional<std::string> shape;
  std::optional<std::vector<int64_t>> operand_ids;
  std::optional<std::vector<int64_t>> called_ids;
  std::optional<std::vector<int64_t>> control_predecessor_ids;
  std::optional<int64_t> channel_id;
};

std::string ChangedBytes(const hlo::Instruction& instruction, const InstructionChanges& changes);

// A tuple shape with `more` elements appended.
std::string LongerTuple(const hlo::Shape& tuple, const std::vector<const hlo::Shape*>& more);

// For a computation with one parameter: its ProgramShapeProto with the shape of the parameter, and of the result if not
// empty, replaced. Empty if the computation has none.
std::string ChangedProgramShape(const hlo::Computation& computation, std::string_view parameter,
                                std::string_view result);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_CHANGED_BYTES_H_
