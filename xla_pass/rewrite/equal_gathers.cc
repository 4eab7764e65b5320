// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/equal_gathers.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "xla_pass/hlo_view/replica_groups.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Operand, dimension and shape: everything that determines an all-gather's result except the groups.
using Key = std::tuple<Node, int64_t, std::string_view>;

bool SameGroups(const hlo::Instruction& a, const hlo::Instruction& b) {
  const Result<hlo::ReplicaGroups> of_a = DecodeReplicaGroups(a);
  const Result<hlo::ReplicaGroups> of_b = DecodeReplicaGroups(b);
  return of_a && of_b && *of_a == *of_b;
}

}  // namespace

std::unordered_map<Node, Node> FindEqualGathers(const Graph& graph, int computation, const std::vector<bool>& removed) {
  std::unordered_map<Node, Node> equal;
  std::map<Key, std::vector<Node>> firsts;
  for (int i = 0; i < static_cast<int>(removed.size()); ++i) {
    const Node node = graph.node(computation, i);
    const hlo::Instruction& instruction = graph.at(node);
    const bool is_plain = instruction.opcode == Opcode::kAllGather && graph.operand_count(node) == 1 &&
                          instruction.dimensions.size() == 1 && !graph.has_control_edges(node);
    if (removed[i] || !is_plain) continue;
    std::vector<Node>& known = firsts[{graph.operand(node, 0), instruction.dimensions[0], instruction.shape->bytes}];
    const auto first =
        std::find_if(known.begin(), known.end(), [&](Node other) { return SameGroups(graph.at(other), instruction); });
    if (first == known.end()) {
      known.push_back(node);
    } else {
      equal[node] = *first;
    }
  }
  return equal;
}

}  // namespace jax_oneshot
