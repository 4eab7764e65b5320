// In:  what a test wants in a module. Out: its serialized proto, field by field. For tests only.
#ifndef XLA_PASS_HLO_VIEW_HAND_MODULE_H_
#define XLA_PASS_HLO_VIEW_HAND_MODULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "xla_pass/hlo_view/shape.h"

namespace jax_oneshot::hlo {

// An array shape; an empty `minor_to_major` means row-major.
std::string HandShape(PrimitiveType type, const std::vector<int64_t>& dimensions,
                      const std::vector<int64_t>& minor_to_major = {});

struct HandInstruction {
  int64_t id = 0;
  std::string name, opcode;
  std::vector<int64_t> operands;
  std::vector<int64_t> control_predecessors;
  std::vector<int64_t> called_computations;
  std::string more;  // further fields, serialized
  std::string shape = HandShape(PrimitiveType::kF32, {8});

  std::string Encode() const;
};

HandInstruction HandParameter(int64_t id, int64_t number);

struct HandComputation {
  int64_t id = 0;
  std::string name;
  std::vector<HandInstruction> instructions;
  int64_t root_id = 0;

  std::string Encode() const;
};

std::string HandModule(const std::vector<HandComputation>& computations, int64_t entry_id);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_HAND_MODULE_H_
