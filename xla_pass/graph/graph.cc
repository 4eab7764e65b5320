// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

Graph::Graph(const hlo::Module& module) : module_(module), caller_(module.computations.size(), kNoNode) {
  int total = 0;
  for (const hlo::Computation& computation : module.computations) {
    first_.push_back(total);
    total += static_cast<int>(computation.instructions.size());
  }
  computation_.reserve(total);
  instructions_.reserve(total);
  first_user_.reserve(total);
  user_count_.reserve(total);
  has_control_edges_.resize(total, false);
  std::vector<int> call_count(module.computations.size(), 0);
  for (const hlo::Computation& computation : module.computations) {
    for (const hlo::Instruction& instruction : computation.instructions) {
      const Node node = static_cast<Node>(instructions_.size());
      instructions_.push_back(&instruction);
      computation_.push_back(computation.index);
      for (int callee : instruction.called_computations) {
        ++call_count[callee];
        if (instruction.opcode == hlo::Opcode::kFusion || instruction.opcode == hlo::Opcode::kWhile) {
          caller_[callee] = node;
        }
      }
    }
    LinkUsers(computation);
  }
  for (size_t c = 0; c < caller_.size(); ++c) {
    if (call_count[c] != 1) caller_[c] = kNoNode;
  }
}

void Graph::LinkUsers(const hlo::Computation& computation) {
  const Node first = first_[computation.index];
  const int count = static_cast<int>(computation.instructions.size());
  // Reserves one entry per use; a user that reads a value several times fills only one.
  std::vector<int> uses(count, 0);
  for (const hlo::Instruction& instruction : computation.instructions) {
    for (int operand : instruction.operands) ++uses[operand];
  }
  int next = static_cast<int>(users_.size());
  for (int i = 0; i < count; ++i) {
    first_user_.push_back(next);
    user_count_.push_back(0);
    next += uses[i];
  }
  users_.resize(next, kNoNode);
  for (int i = 0; i < count; ++i) {
    const Node user = first + i;
    for (int operand : computation.instructions[i].operands) {
      const Node node = first + operand;
      int& filled = user_count_[node];
      Node* const list = users_.data() + first_user_[node];
      if (filled == 0 || list[filled - 1] != user) list[filled++] = user;
    }
    for (int predecessor : computation.instructions[i].control_predecessors) {
      has_control_edges_[user] = true;
      has_control_edges_[first + predecessor] = true;
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
  if (caller == kNoNode || at(caller).opcode != hlo::Opcode::kFusion || instruction.number < 0 ||
      instruction.number >= operand_count(caller)) {
    return kNoNode;
  }
  return operand(caller, static_cast<int>(instruction.number));
}

Node Graph::BeforeLoop(Node element) const {
  const hlo::Instruction& read = at(element);
  if (read.opcode != hlo::Opcode::kGetTupleElement || operand_count(element) != 1) return kNoNode;
  const Node state = operand(element, 0);
  const Node loop = caller_[computation_[element]];
  if (at(state).opcode != hlo::Opcode::kParameter || loop == kNoNode || at(loop).opcode != hlo::Opcode::kWhile) {
    return kNoNode;
  }
  if (operand_count(loop) != 1) return kNoNode;
  const Node next_state = root(computation_[element]);
  const Node first_state = operand(loop, 0);
  for (const Node tuple : {next_state, first_state}) {
    if (at(tuple).opcode != hlo::Opcode::kTuple || read.number < 0 || read.number >= operand_count(tuple)) {
      return kNoNode;
    }
  }
  const auto number = static_cast<int>(read.number);
  const hlo::Instruction& handed_on = at(operand(next_state, number));
  const bool is_unchanged = handed_on.opcode == hlo::Opcode::kGetTupleElement && handed_on.number == read.number &&
                            handed_on.operands.size() == 1 && operand(operand(next_state, number), 0) == state;
  return is_unchanged ? operand(first_state, number) : kNoNode;
}

}  // namespace jax_oneshot
