// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/region.h"

#include <utility>

namespace jax_oneshot {

std::vector<Node> Region::InputLeaves() const {
  size_t count = 0;
  for (const CallOperand& operand : operands) count += operand.leaves.size();
  std::vector<Node> leaves;
  leaves.reserve(count);
  for (const CallOperand& operand : operands) {
    leaves.insert(leaves.end(), operand.leaves.begin(), operand.leaves.end());
  }
  return leaves;
}

int64_t InstructionCount(const Graph& graph, Node unit) {
  const int fused = graph.fused_computation(unit);
  if (fused < 0) return graph.at(unit).opcode == hlo::Opcode::kGetTupleElement ? 0 : 1;
  const hlo::Computation& computation = graph.module().computations[fused];
  int64_t count = 0;
  for (const hlo::Instruction& instruction : computation.instructions) {
    count += instruction.opcode != hlo::Opcode::kParameter && instruction.opcode != hlo::Opcode::kTuple &&
             instruction.opcode != hlo::Opcode::kConstant;
  }
  return count;
}

int SiteTable::Add(Site site) {
  const int index = static_cast<int>(sites_.size());
  for (int e = 0; e < static_cast<int>(site.elements.size()); ++e) {
    for (Node result : site.elements[e].results) by_result_[result] = {index, e};
  }
  sites_.push_back(std::move(site));
  return index;
}

void SiteTable::Hide(int site) {
  for (const SiteElement& element : sites_[site].elements) {
    for (Node result : element.results) by_result_.erase(result);
  }
}

SiteRef SiteTable::Find(Node node) const {
  auto found = by_result_.find(node);
  return found == by_result_.end() ? SiteRef{} : found->second;
}

}  // namespace jax_oneshot
