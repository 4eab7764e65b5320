// In:  the bytes of a serialized HloModuleProto. Out: the view onto them. See hlo_view.h.
#include "xla_pass/hlo_view/hlo_view.h"

#include <algorithm>
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

// Replaces ids by positions, which must be below `limit`.
Result<void> Resolve(const std::vector<int64_t>& ids, const IdIndex& index, int limit, const char* what,
                     std::vector<int>* out) {
  out->reserve(ids.size());
  for (int64_t id : ids) {
    const int position = index.Find(id);
    if (position < 0) return Err(std::string(what) + " id " + std::to_string(id) + " names nothing");
    if (position >= limit) return Err(std::string(what) + " id " + std::to_string(id) + " comes after its user");
    out->push_back(position);
  }
  return {};
}

// One computation while its instructions still refer by id.
struct OpenComputation {
  Computation computation;
  std::vector<InstructionReferences> references;
  int64_t root_id = 0;
};

class ModuleParser {
 public:
  Result<Module> Parse(std::string_view bytes) {
    module_.bytes = bytes;
    if (Result<void> ok = ReadModule(); !ok) return Err("not a HloModuleProto: " + ok.error());
    if (Result<void> ok = ResolveAll(); !ok) return Err("malformed HloModuleProto: " + ok.error());
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
    if (open_.empty()) return Err("it has no computations");
    if (open_.size() >= kMaxCount) return Err("it has too many computations");
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

  Result<void> ReadComputation(std::string_view bytes) {
    namespace field = fields::hlo_computation;
    OpenComputation& open = open_.emplace_back();
    open.computation.bytes = bytes;
    open.computation.index = static_cast<int>(open_.size()) - 1;
    Reader reader(bytes);
    Field f;
    while (reader.Next(&f)) {
      if (f.wire_type == wire::kVarint) {
        const auto value = static_cast<int64_t>(f.integer);
        if (f.number == field::kId) open.computation.id = value;
        if (f.number == field::kRootId) open.root_id = value;
        if (f.number == field::kIsFusionComputation) open.computation.is_fusion = value != 0;
      } else if (f.wire_type == wire::kLengthDelimited && f.number == field::kName) {
        open.computation.name = f.payload;
      } else if (f.wire_type == wire::kLengthDelimited && f.number == field::kInstructions) {
        Instruction& instruction = open.computation.instructions.emplace_back();
        Result<void> ok = ParseInstruction(f.payload, &instruction, &open.references.emplace_back());
        if (!ok) return Err("computation " + Quote(open.computation.name) + ": " + ok.error());
      }
    }
    if (!reader.ok()) return Err("computation " + Quote(open.computation.name) + ": " + reader.error());
    return {};
  }

  Result<void> ResolveAll() {
    std::vector<int64_t> ids;
    for (const OpenComputation& open : open_) ids.push_back(open.computation.id);
    IdIndex computations;
    if (!computations.Build(ids)) return Err("two computations have one id");
    module_.entry = computations.Find(entry_id_);
    if (module_.entry < 0) return Err("entry computation id " + std::to_string(entry_id_) + " names nothing");
    module_.computations.reserve(open_.size());
    for (OpenComputation& open : open_) {
      if (Result<void> ok = ResolveOne(computations, &open); !ok) {
        return Err("computation " + Quote(open.computation.name) + ": " + ok.error());
      }
      module_.computations.push_back(std::move(open.computation));
    }
    return {};
  }

  Result<void> ResolveOne(const IdIndex& computations, OpenComputation* open) {
    Computation& computation = open->computation;
    std::vector<int64_t> ids;
    ids.reserve(computation.instructions.size());
    for (const Instruction& instruction : computation.instructions) ids.push_back(instruction.id);
    if (!instructions_.Build(ids)) return Err("two instructions have one id");
    computation.root = instructions_.Find(open->root_id);
    if (computation.root < 0) return Err("root id " + std::to_string(open->root_id) + " names nothing");
    for (int i = 0; i < static_cast<int>(ids.size()); ++i) {
      Instruction& instruction = computation.instructions[i];
      const InstructionReferences& references = open->references[i];
      Result<void> ok = Resolve(references.operands, instructions_, i, "operand", &instruction.operands);
      if (ok) {
        ok = Resolve(references.control_predecessors, instructions_, i, "control predecessor",
                     &instruction.control_predecessors);
      }
      if (ok) {
        ok = Resolve(references.called_computations, computations, computation.index, "called computation",
                     &instruction.called_computations);
      }
      if (!ok) return Err("instruction " + Quote(instruction.name) + ": " + ok.error());
      computation.max_instruction_id = std::max(computation.max_instruction_id, instruction.id);
    }
    module_.max_instruction_id = std::max(module_.max_instruction_id, computation.max_instruction_id);
    return NumberParameters(&computation);
  }

  Result<void> NumberParameters(Computation* computation) {
    for (int i = 0; i < static_cast<int>(computation->instructions.size()); ++i) {
      const Instruction& instruction = computation->instructions[i];
      if (instruction.opcode != Opcode::kParameter) continue;
      const int64_t number = instruction.parameter_number;
      if (number < 0 || number >= static_cast<int64_t>(computation->instructions.size())) {
        return Err("parameter number " + std::to_string(number) + " of " + Quote(instruction.name) + " is out of range");
      }
      if (number >= static_cast<int64_t>(computation->parameters.size())) computation->parameters.resize(number + 1, -1);
      if (computation->parameters[number] >= 0) return Err("parameter " + std::to_string(number) + " occurs twice");
      computation->parameters[number] = i;
    }
    const auto& parameters = computation->parameters;
    if (std::find(parameters.begin(), parameters.end(), -1) != parameters.end()) return Err("a parameter is missing");
    return {};
  }

  Module module_;
  std::vector<OpenComputation> open_;
  IdIndex instructions_;  // reused
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
  return module_bytes.find(opcode_name) != std::string_view::npos;
}

Result<double> ScalarLiteral(const Instruction& constant) { return DecodeSplatLiteral(constant.literal); }

Result<std::vector<int64_t>> IntegerLiteral(const Instruction& constant) {
  return DecodeIntegerLiteral(constant.literal);
}

Result<std::vector<WindowDimension>> DecodeWindow(const Instruction& instruction) {
  return ParseWindow(instruction.window);
}

}  // namespace jax_oneshot::hlo
