// SPDX-License-Identifier: Apache-2.0
// Implementation of hlo_view.h.
#include "xla_pass/hlo_view/hlo_view.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/id_index.h"
#include "xla_pass/hlo_view/literal.h"
#include "xla_pass/hlo_view/parse_instruction.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

constexpr size_t kMaxCount = size_t{1} << 31;

std::string Quote(std::string_view name) { return "%" + std::string(name); }

// The ends of one instruction's lists within InstructionLists.
struct Ends {
  size_t operands = 0, predecessors = 0, called = 0, dimensions = 0;
};

// A computation's fields, with its instructions unparsed.
struct ComputationHeader {
  std::string_view bytes, name;
  int64_t id = 0, root_id = 0;
  bool is_fusion = false;
  std::vector<std::string_view> instructions;  // serialized
};

class ModuleParser {
 public:
  Result<Module> Parse(std::string_view bytes) {
    module_.bytes = bytes;
    if (Result<void> ok = ReadModule(); !ok) return Err("not a HloModuleProto: " + ok.error());
    if (Result<void> ok = ParseAll(); !ok) return Err("malformed HloModuleProto: " + ok.error());
    return std::move(module_);
  }

 private:
  Result<void> ReadModule() {
    Reader reader(module_.bytes);
    Field f;
    while (reader.Next(&f)) {
      if (Result<void> ok = ReadModuleField(f); !ok) return ok;
    }
    if (!reader.ok()) return Err(reader.error());
    if (headers_.empty()) return Err("it has no computations");
    if (headers_.size() >= kMaxCount) return Err("it has too many computations");
    return {};
  }

  Result<void> ReadModuleField(const Field& f) {
    namespace field = fields::hlo_module;
    if (f.number == field::kEntryComputationId && f.wire_type == wire::kVarint) {
      entry_id_ = static_cast<int64_t>(f.integer);
    }
    if (f.wire_type != wire::kLengthDelimited) return {};
    switch (f.number) {
      case field::kName:
        module_.name = f.payload;
        return {};
      case field::kSchedule:
        module_.has_schedule = !f.payload.empty();
        return {};
      case field::kSpmdParametersShardings:
        module_.parameter_shardings.push_back(f.payload);
        return {};
      case field::kDeviceAssignment:
        return ReadDeviceAssignment(f.payload);
      case field::kComputations:
        return ReadComputation(f.payload);
      default:
        return {};
    }
  }

  Result<void> ReadDeviceAssignment(std::string_view bytes) {
    Reader reader(bytes);
    Field f;
    while (reader.Next(&f)) {
      if (f.wire_type != wire::kVarint) continue;
      if (f.number == fields::device_assignment::kReplicaCount) module_.replica_count = static_cast<int64_t>(f.integer);
      if (f.number == fields::device_assignment::kComputationCount) {
        module_.partition_count = static_cast<int64_t>(f.integer);
      }
    }
    return reader.ok() ? Result<void>() : Err(reader.error());
  }

  // Only finds the instructions: all ids must be known before references can be resolved.
  Result<void> ReadComputation(std::string_view bytes) {
    namespace field = fields::hlo_computation;
    ComputationHeader& header = headers_.emplace_back();
    header.bytes = bytes;
    Reader reader(bytes);
    Field f;
    while (reader.Next(&f)) {
      if (f.wire_type == wire::kVarint) {
        const auto value = static_cast<int64_t>(f.integer);
        if (f.number == field::kId) header.id = value;
        if (f.number == field::kRootId) header.root_id = value;
        if (f.number == field::kIsFusionComputation) header.is_fusion = value != 0;
      } else if (f.wire_type == wire::kLengthDelimited) {
        if (f.number == field::kName) header.name = f.payload;
        if (f.number == field::kInstructions) header.instructions.push_back(f.payload);
      }
    }
    if (!reader.ok()) return Err("computation " + Quote(header.name) + ": " + reader.error());
    return {};
  }

  Result<void> ParseAll() {
    std::vector<int64_t> ids;
    for (const ComputationHeader& header : headers_) ids.push_back(header.id);
    if (!computations_.Build(ids)) return Err("two computations have one id");
    module_.entry = computations_.Find(entry_id_);
    if (module_.entry < 0) return Err("entry computation id " + std::to_string(entry_id_) + " names nothing");
    module_.computations.resize(headers_.size());
    for (size_t i = 0; i < headers_.size(); ++i) {
      module_.computations[i].index = static_cast<int>(i);
      if (Result<void> ok = ParseComputation(headers_[i], &module_.computations[i]); !ok) {
        return Err("computation " + Quote(headers_[i].name) + ": " + ok.error());
      }
    }
    return {};
  }

  Result<void> ParseComputation(const ComputationHeader& header, Computation* computation) {
    computation->bytes = header.bytes;
    computation->name = header.name;
    computation->id = header.id;
    computation->is_fusion = header.is_fusion;
    if (Result<void> ok = ParseInstructions(header, computation); !ok) return ok;
    module_.max_instruction_id = std::max(module_.max_instruction_id, computation->max_instruction_id);
    computation->root = instructions_.Find(header.root_id);
    if (computation->root < 0) return Err("root id " + std::to_string(header.root_id) + " names nothing");
    for (size_t i = 0; i < header.instructions.size(); ++i) {
      Instruction& instruction = computation->instructions[i];
      Result<void> ok = ResolveLists(computation->index, static_cast<int>(i), &instruction);
      if (!ok) return Err("instruction " + Quote(instruction.name) + ": " + ok.error());
    }
    return NumberParameters(computation);
  }

  Result<void> ParseInstructions(const ComputationHeader& header, Computation* computation) {
    computation->instructions.reserve(header.instructions.size());
    lists_.Clear();
    ends_.clear();
    ids_.clear();
    for (std::string_view bytes : header.instructions) {
      Instruction& instruction = computation->instructions.emplace_back();
      Result<void> ok = ParseInstruction(bytes, &module_.shapes, &instruction, &lists_);
      if (!ok) return Err("instruction " + Quote(instruction.name) + ": " + ok.error());
      ends_.push_back({lists_.operand_ids.size(), lists_.control_predecessor_ids.size(),
                       lists_.called_computation_ids.size(), lists_.dimensions.size()});
      ids_.push_back(instruction.id);
      computation->max_instruction_id = std::max(computation->max_instruction_id, instruction.id);
    }
    return instructions_.Build(ids_) ? Result<void>() : Err("two instructions have one id");
  }

  // Converts ids to positions, which must be below `limit`.
  Result<void> Resolve(Span<int64_t> ids, const IdIndex& index, int limit, const char* what, Span<int>* out) {
    if (ids.empty()) return {};
    int* const positions = module_.indices.Make(ids.size());
    int* next = positions;
    for (int64_t id : ids) {
      const int position = index.Find(id);
      if (position < 0) return Err(std::string(what) + " id " + std::to_string(id) + " names nothing");
      if (position >= limit) return Err(std::string(what) + " id " + std::to_string(id) + " comes after its user");
      *next++ = position;
    }
    *out = {positions, ids.size()};
    return {};
  }

  Result<void> ResolveLists(int computation, int i, Instruction* out) {
    const Ends begin = i == 0 ? Ends{} : ends_[i - 1];
    const Ends& end = ends_[i];
    const auto part = [](const std::vector<int64_t>& list, size_t from, size_t to) {
      return Span<int64_t>(list.data() + from, to - from);
    };
    Result<void> ok =
        Resolve(part(lists_.operand_ids, begin.operands, end.operands), instructions_, i, "operand", &out->operands);
    if (!ok) return ok;
    ok = Resolve(part(lists_.control_predecessor_ids, begin.predecessors, end.predecessors), instructions_, i,
                 "control predecessor", &out->control_predecessors);
    if (!ok) return ok;
    ok = Resolve(part(lists_.called_computation_ids, begin.called, end.called), computations_, computation,
                 "called computation", &out->called_computations);
    if (!ok) return ok;
    out->dimensions = module_.integers.Copy(part(lists_.dimensions, begin.dimensions, end.dimensions));
    return {};
  }

  Result<void> NumberParameters(Computation* computation) {
    for (int i = 0; i < static_cast<int>(computation->instructions.size()); ++i) {
      const Instruction& instruction = computation->instructions[i];
      if (instruction.opcode != Opcode::kParameter) continue;
      const int64_t number = instruction.number;
      if (number < 0 || number >= static_cast<int64_t>(computation->instructions.size())) {
        return Err("parameter number " + std::to_string(number) + " of " + Quote(instruction.name) +
                   " is out of range");
      }
      if (number >= static_cast<int64_t>(computation->parameters.size()))
        computation->parameters.resize(number + 1, -1);
      if (computation->parameters[number] >= 0) return Err("parameter " + std::to_string(number) + " occurs twice");
      computation->parameters[number] = i;
    }
    const auto& parameters = computation->parameters;
    if (std::find(parameters.begin(), parameters.end(), -1) != parameters.end()) return Err("a parameter is missing");
    return {};
  }

  Module module_;
  std::vector<ComputationHeader> headers_;
  IdIndex computations_;
  // State of the computation being parsed.
  IdIndex instructions_;
  InstructionLists lists_;
  std::vector<Ends> ends_;
  std::vector<int64_t> ids_;
  int64_t entry_id_ = 0;
};

}  // namespace

int Module::InstructionCount() const {
  int count = 0;
  for (const Computation& computation : computations) count += static_cast<int>(computation.instructions.size());
  return count;
}

Result<Module> ParseModule(std::string_view bytes) { return ModuleParser().Parse(bytes); }

bool MayContainOpcode(std::string_view module_bytes, std::string_view opcode_name) {
  if (module_bytes.empty()) return false;  // data() may be null, which memmem does not allow
  wire::Writer opcode;                     // the whole field, so that names which contain the opcode do not match
  opcode.Bytes(fields::hlo_instruction::kOpcode, opcode_name);
  // memmem, because string_view::find is several times slower on needles with a common first byte.
  return memmem(module_bytes.data(), module_bytes.size(), opcode.str().data(), opcode.str().size()) != nullptr;
}

Result<double> ScalarLiteral(const Instruction& constant) { return DecodeSplatLiteral(constant.literal()); }

Result<std::vector<int64_t>> IntegerLiteral(const Instruction& constant) {
  return DecodeIntegerLiteral(constant.literal());
}

Result<std::vector<WindowDimension>> DecodeWindow(const Instruction& instruction) {
  return ParseWindow(instruction.window());
}

}  // namespace jax_oneshot::hlo
