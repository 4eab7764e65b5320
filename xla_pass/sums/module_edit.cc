// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/module_edit.h"

#include <algorithm>
#include <utility>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/rewrite/liveness.h"
#include "xla_pass/rewrite/splice.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

void AppendCalls(std::string_view instruction, std::vector<int64_t>* ids) {
  wire::Reader reader(instruction);
  wire::Field f;
  while (reader.Next(&f)) {
    if (f.number == hlo::fields::hlo_instruction::kCalledComputationIds) (void)wire::AppendIntegers(f, ids);
  }
}

}  // namespace

void ModuleEdit::SetOperands(Node node, const std::vector<Node>& operands) {
  std::vector<int64_t> ids;
  ids.reserve(operands.size());
  for (const Node operand : operands) ids.push_back(graph_.at(operand).id);
  const hlo::Instruction& instruction = graph_.at(node);
  Replace(node, CloneBytes(instruction, {std::string(instruction.name), instruction.id, {}}, ids));
}

std::string ModuleEdit::Write() const {
  std::set<int> touched;
  for (const auto& [node, bytes] : replaced_) touched.insert(graph_.computation_index(node));
  for (const auto& [node, bytes] : inserted_) touched.insert(graph_.computation_index(node));
  for (const Node node : removed_) touched.insert(graph_.computation_index(node));
  std::vector<ComputationEdit> edits;
  for (const int computation : touched) {
    ComputationEdit edit{computation, {}, {}};
    const auto& instructions = graph_.module().computations[computation].instructions;
    for (int i = 0; i < static_cast<int>(instructions.size()); ++i) {
      const Node node = graph_.node(computation, i);
      if (const auto before = inserted_.find(node); before != inserted_.end()) {
        edit.instructions.insert(edit.instructions.end(), before->second.begin(), before->second.end());
      }
      if (removed_.count(node) != 0) continue;
      const auto replaced = replaced_.find(node);
      edit.instructions.push_back(replaced == replaced_.end() ? instructions[i].bytes
                                                              : std::string_view(replaced->second));
    }
    edits.push_back(std::move(edit));
  }
  return SpliceModule(graph_.module(), edits, FindUncalledNow());
}

// Computations that only removed instructions called.
std::vector<int> ModuleEdit::FindUncalledNow() const {
  std::vector<int64_t> called;  // ids
  for (const auto& [node, bytes] : replaced_) AppendCalls(bytes, &called);
  for (const auto& [node, all] : inserted_) {
    for (const std::string& bytes : all) AppendCalls(bytes, &called);
  }
  std::vector<int> uncalled = FindUncalled(graph_, {removed_.begin(), removed_.end()});
  const auto is_called = [&](int computation) {
    const int64_t id = graph_.module().computations[computation].id;
    return std::find(called.begin(), called.end(), id) != called.end();
  };
  uncalled.erase(std::remove_if(uncalled.begin(), uncalled.end(), is_called), uncalled.end());
  return uncalled;
}

}  // namespace jax_oneshot
