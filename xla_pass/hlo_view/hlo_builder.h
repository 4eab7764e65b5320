// SPDX-License-Identifier: Apache-2.0
// Builds a serialized HLO module field by field. For tests only.
#ifndef XLA_PASS_HLO_VIEW_HLO_BUILDER_H_
#define XLA_PASS_HLO_VIEW_HLO_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "xla_pass/hlo_view/shape.h"

namespace jax_oneshot::hlo {

// An array shape; an empty `minor_to_major` means row-major.
std::string TestShape(PrimitiveType type, const std::vector<int64_t>& dimensions,
                      const std::vector<int64_t>& minor_to_major = {});

struct TestInstruction {
  int64_t id = 0;
  std::string name, opcode;
  std::vector<int64_t> operands;
  std::vector<int64_t> control_predecessors;
  std::vector<int64_t> called_computations;
  std::string more;  // further fields, serialized
  std::string shape = TestShape(PrimitiveType::kF32, {8});

  std::string Encode() const;
};

TestInstruction TestParameter(int64_t id, int64_t number);

struct TestComputation {
  int64_t id = 0;
  std::string name;
  std::vector<TestInstruction> instructions;
  int64_t root_id = 0;

  std::string Encode() const;
};

std::string BuildTestModule(const std::vector<TestComputation>& computations, int64_t entry_id);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_HLO_BUILDER_H_
