#include "xla_pass/sums/module_edit.h"

#include <utility>

#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/rewrite/liveness.h"
#include "xla_pass/rewrite/splice.h"

namespace jax_oneshot {

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
  return SpliceModule(graph_.module(), edits, FindUncalled(graph_, {removed_.begin(), removed_.end()}));
}

}  // namespace jax_oneshot
