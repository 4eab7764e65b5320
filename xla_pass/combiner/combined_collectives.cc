// SPDX-License-Identifier: Apache-2.0
// Implementation of combined_collectives.h.
#include "xla_pass/combiner/combined_collectives.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/sites/site.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Opcode, reduction, type, gathered dimension, group mode, groups.
using Key = std::tuple<Opcode, int, hlo::PrimitiveType, int64_t, hlo::GroupMode, std::vector<std::vector<int64_t>>>;

bool IsCombinable(const Graph& graph, Node node) {
  const hlo::Instruction& instruction = graph.at(node);
  return graph.operand_count(node) == 1 && !instruction.shape->IsTuple() && !graph.has_control_edges(node);
}

// Unusual reductions are identified by their computation.
int ReductionOf(const Graph& graph, const hlo::Instruction& instruction) {
  if (instruction.opcode != Opcode::kAllReduce || instruction.called_computations.size() != 1) return 0;
  const int callee = instruction.called_computations[0];
  const Reducer reducer = ClassifyReducer(graph.module().computations[callee]);
  return reducer == Reducer::kOther ? callee : -1 - static_cast<int>(reducer);
}

class Combiner {
 public:
  Combiner(const Graph& graph, int computation, const CombineLimits& limits, StepBudget* steps)
      : graph_(graph),
        limits_(limits),
        computation_(computation),
        steps_(steps),
        first_(graph.node(computation, 0)),
        number_(graph.module().computations[computation].instructions.size(), -1) {}

  std::vector<int> Run() {
    SortByKey();
    if (!heads_.empty()) order_.emplace(graph_, computation_, steps_);
    while (!heads_.empty()) {
      std::vector<Node>& waiting = *heads_.begin()->second;
      heads_.erase(heads_.begin());
      TakeFrom(&waiting);
      if (!waiting.empty()) heads_.emplace(waiting.back(), &waiting);
    }
    return std::move(number_);
  }

 private:
  void SortByKey() {
    for (Node node = first_; node < first_ + static_cast<Node>(number_.size()); ++node) {
      const hlo::Instruction& instruction = graph_.at(node);
      if (instruction.opcode != Opcode::kAllReduce && instruction.opcode != Opcode::kAllGather) continue;
      const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(instruction);
      if (limits_.bytes == 0 || !groups || !IsCombinable(graph_, node)) {
        number_[node - first_] = next_++;
        continue;
      }
      const int64_t dimension = instruction.dimensions.empty() ? -1 : instruction.dimensions[0];
      by_key_[{instruction.opcode, ReductionOf(graph_, instruction), instruction.shape->element_type, dimension,
               groups->mode, groups->groups}]
          .push_back(node);
    }
    for (auto& [key, nodes] : by_key_) {
      std::reverse(nodes.begin(), nodes.end());  // taken from the back
      heads_.emplace(nodes.back(), &nodes);
    }
  }

  // Combines the first of these collectives into one.
  void TakeFrom(std::vector<Node>* waiting) {
    NodeSet taken;
    std::vector<Node> operands;
    int64_t bytes = 0;
    for (; !waiting->empty(); waiting->pop_back()) {
      const Node node = waiting->back();
      const int64_t own = MessageBytes(*graph_.at(node).shape);
      const bool is_full = bytes > limits_.bytes - own || static_cast<int64_t>(taken.size()) >= limits_.count;
      if (taken.size() > 0 && (is_full || order_->DependsOn(node, taken))) break;
      bytes += own;
      taken.Insert(node);
      operands.push_back(graph_.operand(node, 0));
      number_[node - first_] = next_;
      if (is_full) {  // too large to be combined with any other
        waiting->pop_back();
        break;
      }
    }
    ++next_;
    if (taken.size() > 1) (void)order_->Contract(taken.keys(), operands);  // for later dependency queries
  }

  const Graph& graph_;
  const CombineLimits& limits_;
  int computation_;
  StepBudget* steps_;
  std::optional<DependencyOrder> order_;  // made where something can be combined
  Node first_;
  std::vector<int> number_;
  int next_ = 0;
  std::map<Key, std::vector<Node>> by_key_;
  std::set<std::pair<Node, std::vector<Node>*>> heads_;  // the first remaining collective of each key
};

}  // namespace

std::vector<int> CombinedCollectives(const Graph& graph, int computation, const CombineLimits& limits,
                                     StepBudget* steps) {
  return Combiner(graph, computation, limits, steps).Run();
}

}  // namespace jax_oneshot
