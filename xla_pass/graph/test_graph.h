// SPDX-License-Identifier: Apache-2.0
// For tests: the graph of a hand-written module, with its instructions by name.
//
//   const TestGraph test(std::string(kReducers) + R"(
//     main { x = f32[8,64] parameter(0)
//            ar = f32[8,64] all-reduce(x), replica_groups={{0,1}}, to_apply=add })");
#ifndef XLA_PASS_GRAPH_TEST_GRAPH_H_
#define XLA_PASS_GRAPH_TEST_GRAPH_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/hlo_view/hlo_text_builder.h"

namespace jax_oneshot {

inline constexpr char kReducers[] = R"(
  add { add_a = f32[] parameter(0)
        add_b = f32[] parameter(1)
        add_r = f32[] add(add_a, add_b) }
  max { max_a = f32[] parameter(0)
        max_b = f32[] parameter(1)
        max_r = f32[] maximum(max_a, max_b) }
)";

class TestGraph {
 public:
  // `more`: further fields of the module, serialized.
  TestGraph(const std::vector<hlo::TestComputation>& computations, int64_t entry_id, const std::string& more = "")
      : bytes_(hlo::BuildTestModule(computations, entry_id) + more),
        module_(hlo::ParseModule(bytes_)),
        graph_(std::make_unique<Graph>(module_.value())) {}

  explicit TestGraph(std::string_view text, const std::string& more = "")
      : bytes_(hlo::ModuleFromText(text) + more),
        module_(hlo::ParseModule(bytes_)),
        graph_(std::make_unique<Graph>(module_.value())) {}

  const Graph& graph() const { return *graph_; }
  const hlo::Module& module() const { return *module_; }

  // kNoNode if no instruction has the name.
  Node operator[](const std::string& name) const {
    for (Node node = 0; node < graph_->size(); ++node) {
      if (graph_->at(node).name == name) return node;
    }
    return kNoNode;
  }

  // "a b c", for any container of nodes.
  template <typename Nodes>
  std::string Names(const Nodes& nodes) const {
    std::string names;
    for (const Node node : nodes) names += (names.empty() ? "" : " ") + std::string(graph_->at(node).name);
    return names;
  }

  int entry() const { return module_->entry; }

 private:
  std::string bytes_;
  Result<hlo::Module> module_;
  std::unique_ptr<Graph> graph_;
};

// An instruction by opcode; `id` must be unique within the computation.
inline hlo::TestInstruction TestOp(int64_t id, std::string name, std::string opcode, std::vector<int64_t> operands) {
  hlo::TestInstruction instruction;
  instruction.id = id;
  instruction.name = std::move(name);
  instruction.opcode = std::move(opcode);
  instruction.operands = std::move(operands);
  return instruction;
}

// The error, or "" if there is none.
template <typename T>
std::string Refusal(const tl::expected<T, std::string>& result) {
  return result ? "" : result.error();
}
template <typename T, typename E>
std::string Refusal(const tl::expected<T, E>& result) {
  return result ? "" : result.error().text;
}

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_TEST_GRAPH_H_
