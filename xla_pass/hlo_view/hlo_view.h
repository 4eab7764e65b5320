// SPDX-License-Identifier: Apache-2.0
// A read-only view of a serialized HloModuleProto as Module, Computation and Instruction. The view points into the
// bytes, which must outlive it. References by id are checked and resolved to indices once, by ParseModule.
#ifndef XLA_PASS_HLO_VIEW_HLO_VIEW_H_
#define XLA_PASS_HLO_VIEW_HLO_VIEW_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/span.h"
#include "xla_pass/hlo_view/arena.h"
#include "xla_pass/hlo_view/instruction.h"
#include "xla_pass/hlo_view/opcode.h"
#include "xla_pass/hlo_view/shape.h"
#include "xla_pass/hlo_view/shape_table.h"
#include "xla_pass/hlo_view/window.h"

namespace jax_oneshot::hlo {

struct Computation {
  std::string_view bytes;
  std::string_view name;
  int64_t id = 0;
  int index = 0;                          // in Module::computations
  std::vector<Instruction> instructions;  // operands come before their users
  int root = 0;                           // index into instructions
  bool is_fusion = false;
  std::vector<int> parameters;  // parameters[n] = index of parameter(n)
  int64_t max_instruction_id = 0;
};

struct Module {
  Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;

  std::string_view bytes;
  std::string_view name;
  std::vector<Computation> computations;              // callees before callers
  std::vector<std::string_view> parameter_shardings;  // of the entry's parameters, serialized; may be empty
  int entry = 0;
  bool has_schedule = false;
  int64_t replica_count = 0;    // from a device assignment in the proto; 0 when it has none
  int64_t partition_count = 0;  // the same
  int64_t max_instruction_id = 0;

  // Newer XLA composes an instruction's id of its computation's id (upper 32 bits) and a number within the computation
  // (lower 32 bits); older XLA numbers instructions through the whole module.
  bool HasIdsPerComputation() const { return max_instruction_id >> 32 != 0; }
  int InstructionCount() const;

  // Storage that the instructions point into.
  ShapeTable shapes;
  Arena<int> indices;
  Arena<int64_t> integers;
};

// Fails on truncated or malformed bytes, unresolved ids, and operands that come after their users. Takes well under a
// microsecond per instruction.
Result<Module> ParseModule(std::string_view bytes);

// True if the bytes may contain an instruction with this opcode: a memory search, without parsing.
bool MayContainOpcode(std::string_view module_bytes, std::string_view opcode_name);

// The value of a scalar constant, or of an array whose elements are all equal, of a floating-point, integer or pred
// type. Fails for tuples and for arrays whose elements differ.
Result<double> ScalarLiteral(const Instruction& constant);

// All elements of an integer constant (e.g. a table of indices), row-major.
Result<std::vector<int64_t>> IntegerLiteral(const Instruction& constant);

Result<std::vector<WindowDimension>> DecodeWindow(const Instruction& instruction);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_HLO_VIEW_H_
