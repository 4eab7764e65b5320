// In:  the bytes of a serialized HloModuleProto. Out: Module / Computation / Instruction, read-only, pointing into
// those bytes (which must outlive the view). Nothing is copied that a string_view can point at, and every reference
// by id is resolved to an index and checked once, here.
#ifndef XLA_PASS_HLO_VIEW_HLO_VIEW_H_
#define XLA_PASS_HLO_VIEW_HLO_VIEW_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "ffi_kernels/base/result.h"
#include "xla_pass/hlo_view/opcode.h"
#include "xla_pass/hlo_view/shape.h"
#include "xla_pass/hlo_view/window.h"

namespace jax_oneshot::hlo {

struct Instruction {
  std::string_view bytes;  // the whole HloInstructionProto
  std::string_view name;
  std::string_view opcode_name;  // HLO's spelling, "all-reduce"
  Opcode opcode = Opcode::kOther;
  Shape shape;
  std::string_view metadata;  // OpMetadata, serialized; may be empty

  int64_t id = 0;
  std::vector<int> operands;               // indices into Computation::instructions
  std::vector<int> control_predecessors;   // the same
  std::vector<int> called_computations;    // indices into Module::computations
  std::vector<int64_t> dimensions;         // broadcast, reduce, transpose, ...
  int64_t tuple_index = 0;
  int64_t parameter_number = 0;
  int64_t channel_id = 0;  // <= 0: none
  bool use_global_device_ids = false;
  std::string_view custom_call_target;
  std::string_view comparison_direction;  // "LT"
  std::string_view comparison_type;       // "FLOAT", "TOTALORDER", ... or empty
  std::string_view literal;               // LiteralProto, serialized (constants)
  std::string_view window;                // Window, serialized (reduce-window)
  std::vector<int64_t> dynamic_slice_sizes;
};

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
  std::string_view bytes;
  std::string_view name;
  std::vector<Computation> computations;  // callees before callers
  int entry = 0;
  bool has_schedule = false;
  int64_t replica_count = 0;    // from a device assignment in the proto; 0 when it has none
  int64_t partition_count = 0;  // the same
  int64_t max_instruction_id = 0;

  // Newer XLA makes an instruction's id of its computation's id (upper half) and a number within it (lower half);
  // older XLA numbers the whole module through.
  bool HasIdsPerComputation() const { return max_instruction_id >> 32 != 0; }
  int InstructionCount() const;
};

// Fails on truncated or malformed bytes, ids that resolve to nothing, operands after their users, and on more than
// 2^31 of anything. Costs well under a microsecond per instruction.
Result<Module> ParseModule(std::string_view bytes);

// True when the bytes may hold an instruction with this opcode: a memory search, no parsing.
bool MayContainOpcode(std::string_view module_bytes, std::string_view opcode_name);

// The value of a scalar (or one-value splat) constant of a floating-point, integer or pred type, as double.
// Fails for tuples and for arrays whose elements differ.
Result<double> ScalarLiteral(const Instruction& constant);

// All elements of a constant of an integer type (index tables), row-major.
Result<std::vector<int64_t>> IntegerLiteral(const Instruction& constant);

Result<std::vector<WindowDimension>> DecodeWindow(const Instruction& instruction);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_HLO_VIEW_H_
