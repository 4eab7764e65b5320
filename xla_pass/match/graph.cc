#include "xla_pass/match/graph.h"

namespace jax_oneshot {

Graph::Graph(const hlo::Module& module) : module_(module), caller_(module.computations.size(), kNoNode) {
  int total = 0;
  for (const hlo::Computation& computation : module.computations) {
    first_.push_back(total);
    total += static_cast<int>(computation.instructions.size());
  }
  computation_.reserve(total);
  instructions_.reserve(total);
  users_.resize(total);
  has_control_edges_.resize(total, false);
  std::vector<int> call_count(module.computations.size(), 0);
  for (const hlo::Computation& computation : module.computations) {
    for (const hlo::Instruction& instruction : computation.instructions) {
      const Node node = static_cast<Node>(instructions_.size());
      instructions_.push_back(&instruction);
      computation_.push_back(computation.index);
      for (int callee : instruction.called_computations) {
        ++call_count[callee];
        if (instruction.opcode == hlo::Opcode::kFusion) caller_[callee] = node;
      }
    }
    LinkUsers(computation.index);
  }
  for (size_t c = 0; c < caller_.size(); ++c) {
    if (call_count[c] != 1) caller_[c] = kNoNode;
  }
}

void Graph::LinkUsers(int computation) {
  const auto& instructions = module_.computations[computation].instructions;
  for (int i = 0; i < static_cast<int>(instructions.size()); ++i) {
    const Node user = node(computation, i);
    for (int operand : instructions[i].operands) {
      std::vector<Node>& users = users_[node(computation, operand)];
      if (users.empty() || users.back() != user) users.push_back(user);
    }
    for (int predecessor : instructions[i].control_predecessors) {
      has_control_edges_[user] = true;
      has_control_edges_[node(computation, predecessor)] = true;
    }
  }
}

int Graph::fused_computation(Node fusion) const {
  const hlo::Instruction& instruction = at(fusion);
  if (instruction.opcode != hlo::Opcode::kFusion || instruction.called_computations.size() != 1) return -1;
  const int callee = instruction.called_computations[0];
  return caller_[callee] == fusion ? callee : -1;
}

Node Graph::Outer(Node parameter) const {
  const hlo::Instruction& instruction = at(parameter);
  if (instruction.opcode != hlo::Opcode::kParameter) return kNoNode;
  const Node caller = caller_[computation_[parameter]];
  if (caller == kNoNode || instruction.number < 0 ||
      instruction.number >= operand_count(caller)) {
    return kNoNode;
  }
  return operand(caller, static_cast<int>(instruction.number));
}

}  // namespace jax_oneshot
