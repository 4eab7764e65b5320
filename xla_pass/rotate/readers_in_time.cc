// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/readers_in_time.h"

#include <algorithm>
#include <vector>

#include "xla_pass/graph/overwritten_values.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

class Ancestors {
 public:
  Ancestors(const Graph& graph, int computation)
      : graph_(graph),
        first_(graph.node(computation, 0)),
        is_marked_(graph.module().computations[computation].instructions.size(), false) {}

  void Mark(Node node) {
    if (IsMarked(node)) return;
    is_marked_[node - first_] = true;
    work_.push_back(node);
    while (!work_.empty()) {
      const Node next = work_.back();
      work_.pop_back();
      for (int i = 0; i < graph_.operand_count(next); ++i) {
        const Node operand = graph_.operand(next, i);
        if (IsMarked(operand)) continue;
        is_marked_[operand - first_] = true;
        work_.push_back(operand);
      }
    }
  }
  bool IsMarked(Node node) const { return is_marked_[node - first_]; }

 private:
  const Graph& graph_;
  Node first_;
  std::vector<bool> is_marked_;
  std::vector<Node> work_;
};

}  // namespace

bool ReadersAreInTime(const Graph& graph, const Loop& loop, const MovedPart& part, Node value) {
  Ancestors of_next(graph, loop.body);
  for (const Node begin : part.begins) of_next.Mark(Next(graph, loop, ElementOf(graph, loop, begin)));
  Ancestors of_sums(graph, loop.body);
  const Node first = graph.node(loop.body, 0);
  const auto count = static_cast<Node>(graph.module().computations[loop.body].instructions.size());
  for (Node node = first; node < first + count; ++node) {
    const bool is_sum = graph.at(node).opcode == Opcode::kAllReduce && of_next.IsMarked(node);
    if (!is_sum || std::binary_search(part.members.begin(), part.members.end(), node)) continue;
    for (int i = 0; i < graph.operand_count(node); ++i) of_sums.Mark(graph.operand(node, i));
  }
  const Span<Node> readers = graph.users(value);
  return std::all_of(readers.begin(), readers.end(), [&](Node reader) {
    if (std::binary_search(part.members.begin(), part.members.end(), reader)) return true;  // will read the new value
    return of_sums.IsMarked(reader) && WritesItsOwnBuffer(graph, reader);
  });
}

}  // namespace jax_oneshot
