// In:  a module written by hand. Out: its graph, and its instructions by name. For tests only.
#ifndef XLA_PASS_MATCH_TEST_GRAPH_H_
#define XLA_PASS_MATCH_TEST_GRAPH_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xla_pass/hlo_view/hand_module.h"
#include "xla_pass/match/graph.h"

namespace jax_oneshot {

class TestGraph {
 public:
  // `more`: further fields of the module, serialized.
  TestGraph(const std::vector<hlo::HandComputation>& computations, int64_t entry_id, const std::string& more = "")
      : bytes_(hlo::HandModule(computations, entry_id) + more),
        module_(hlo::ParseModule(bytes_)),
        graph_(std::make_unique<Graph>(module_.value())) {}

  const Graph& graph() const { return *graph_; }
  const hlo::Module& module() const { return *module_; }

  // kNoNode when no instruction has the name.
  Node operator[](const std::string& name) const {
    for (Node node = 0; node < graph_->size(); ++node) {
      if (graph_->at(node).name == name) return node;
    }
    return kNoNode;
  }

 private:
  std::string bytes_;
  Result<hlo::Module> module_;
  std::unique_ptr<Graph> graph_;
};

// An instruction by opcode; its id is its own, unique within the computation.
inline hlo::HandInstruction HandOp(int64_t id, std::string name, std::string opcode, std::vector<int64_t> operands) {
  hlo::HandInstruction instruction;
  instruction.id = id;
  instruction.name = std::move(name);
  instruction.opcode = std::move(opcode);
  instruction.operands = std::move(operands);
  return instruction;
}

}  // namespace jax_oneshot

#endif  // XLA_PASS_MATCH_TEST_GRAPH_H_
