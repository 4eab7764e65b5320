// SPDX-License-Identifier: Apache-2.0
// Implementation of in_place_results.h.
#include "xla_pass/rewrite/in_place_results.h"

#include <algorithm>

namespace jax_oneshot {
namespace {

using hlo::Opcode;

constexpr int kMostMoves = 8;  // between a call and the source or destination of a buffer

// Views do not move elements: the value shares its operand's buffer.
bool IsView(Opcode opcode) { return opcode == Opcode::kReshape || opcode == Opcode::kBitcast; }

Node BehindViews(const Graph& graph, Node node) {
  for (int i = 0; i < kMostMoves && IsView(graph.at(node).opcode) && graph.operand_count(node) == 1; ++i) {
    node = graph.operand(node, 0);
  }
  return node;
}

class Finder {
 public:
  Finder(const Graph& graph, const std::vector<hlo::DonatedParameter>& donated, const Region& region)
      : graph_(graph), donated_(donated), region_(region), computation_(graph.computation_index(region.outputs[0])) {}

  std::vector<InPlaceResult> Run() {
    for (const CallOperand& operand : region_.operands) bases_.push_back(BehindViews(graph_, operand.node));
    for (size_t i = 0; i < region_.outputs.size(); ++i) {
      const int operand = OperandFor(region_.outputs[i], region_.output_indices[i]);
      if (operand >= 0) found_.push_back({region_.output_indices[i], operand});
    }
    return std::move(found_);
  }

 private:
  // The operand whose buffer the output may take; -1: none.
  int OperandFor(Node output, int index) const {
    const auto has_output = [&](const InPlaceResult& known) { return known.output == index; };
    const Output& result = region_.program.outputs[index];
    if (result.shard || result.kind != Kind::kRow || std::any_of(found_.begin(), found_.end(), has_output)) return -1;
    for (const Node buffer : BuffersOf(output, 0)) {
      for (int k = 0; k < static_cast<int>(region_.operands.size()); ++k) {
        if (bases_[k] == buffer && Fits(k, output, result)) return k;
      }
    }
    return -1;
  }

  bool Fits(int operand, Node output, const Output& result) const {
    const Input& input = region_.program.inputs[operand];
    const CallOperand& given = region_.operands[operand];
    const hlo::Shape& from = *graph_.at(given.node).shape;
    const hlo::Shape& to = *graph_.at(output).shape;
    return input.role == Role::kLocal && input.kind == Kind::kRow && !given.hoisted &&
           input.dtype == region_.program.statements[result.value].dtype && from.dimensions == to.dimensions &&
           from.element_type == to.element_type && from.IsRowMajor() && to.IsRowMajor() &&
           std::count(bases_.begin(), bases_.end(), bases_[operand]) == 1;
  }

  // Values whose buffer XLA is meant to reuse for the output: donated parameters and elements of a loop's state.
  std::vector<Node> BuffersOf(Node output, int moves) const {
    std::vector<Node> buffers;
    if (moves == kMostMoves) return buffers;
    const Node root = graph_.root(computation_);
    if (output == root && !graph_.at(root).shape->IsTuple()) AppendDonated({}, &buffers);
    for (const Node user : graph_.users(output)) {
      if (user == root && graph_.at(root).opcode == Opcode::kTuple) {
        for (int i = 0; i < graph_.operand_count(root); ++i) {
          if (graph_.operand(root, i) == output) AppendElement(i, &buffers);
        }
      } else if (IsView(graph_.at(user).opcode)) {
        const std::vector<Node> further = BuffersOf(user, moves + 1);
        buffers.insert(buffers.end(), further.begin(), further.end());
      }
    }
    return buffers;
  }

  // True if the computation's parameter and result are the state of a loop.
  bool IsLoopBody() const {
    if (graph_.module().computations[computation_].parameters.size() != 1) return false;
    for (Node node = 0; node < graph_.size(); ++node) {
      const hlo::Instruction& caller = graph_.at(node);
      if (caller.opcode != Opcode::kWhile) continue;
      const auto& called = caller.called_computations;
      if (std::find(called.begin(), called.end(), computation_) != called.end()) return true;
    }
    return false;
  }

  void AppendElement(int element, std::vector<Node>* buffers) const {
    if (computation_ == graph_.module().entry) AppendDonated({element}, buffers);
    if (!IsLoopBody()) return;
    const hlo::Computation& body = graph_.module().computations[computation_];
    for (const Node user : graph_.users(graph_.node(computation_, body.parameters[0]))) {
      const hlo::Instruction& read = graph_.at(user);
      if (read.opcode == Opcode::kGetTupleElement && read.number == element) buffers->push_back(user);
    }
  }

  void AppendDonated(const std::vector<int64_t>& output, std::vector<Node>* buffers) const {
    const hlo::Module& module = graph_.module();
    if (computation_ != module.entry) return;
    const std::vector<int>& parameters = module.computations[module.entry].parameters;
    for (const hlo::DonatedParameter& donated : donated_) {
      const auto number = static_cast<size_t>(donated.parameter);
      if (donated.output == output && number < parameters.size()) {
        buffers->push_back(graph_.node(module.entry, parameters[number]));
      }
    }
  }

  const Graph& graph_;
  const std::vector<hlo::DonatedParameter>& donated_;
  const Region& region_;
  int computation_;
  std::vector<Node> bases_;  // by operand
  std::vector<InPlaceResult> found_;
};

}  // namespace

std::vector<InPlaceResult> FindInPlaceResults(const Graph& graph, const std::vector<hlo::DonatedParameter>& donated,
                                              const Region& region) {
  return Finder(graph, donated, region).Run();
}

}  // namespace jax_oneshot
