// Instructions and computations with some of their fields changed, as serialized protos. All other fields come out as
// they were.
#ifndef XLA_PASS_ROTATE_CHANGED_BYTES_H_
#define XLA_PASS_ROTATE_CHANGED_BYTES_H_

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

// A tuple's shape with elements added behind its own.
std::string LongerTuple(const hlo::Shape& tuple, const std::vector<const hlo::Shape*>& more);

// Of a computation with one parameter: its ProgramShapeProto with the parameter's shape, and the result's where it is
// not empty, replaced. Empty where it states none.
std::string ChangedProgramShape(const hlo::Computation& computation, std::string_view parameter,
                                std::string_view result);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_CHANGED_BYTES_H_
