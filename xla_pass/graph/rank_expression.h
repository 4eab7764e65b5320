// SPDX-License-Identifier: Apache-2.0
// Evaluates a scalar integer expression of partition-id or replica-id (e.g. a slice offset) for one logical id.
//
//   multiply(convert(partition-id), 64)                                  at id 3 -> 192
//   reshape(dynamic-slice(constant {0, 64, 0, 64}, partition-id))        at id 3 -> 64
//
// The expression is evaluated, not pattern-matched: it may mix arithmetic, comparisons, conversions and lookups in
// constants, before a loop or inside it.
#ifndef XLA_PASS_GRAPH_RANK_EXPRESSION_H_
#define XLA_PASS_GRAPH_RANK_EXPRESSION_H_

#include <cstdint>
#include <unordered_map>

#include "base/result.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/replica_groups.h"

namespace jax_oneshot {

class RankExpression {
 public:
  // `id` is as in groups of `mode`.
  RankExpression(const Graph& graph, hlo::GroupMode mode, int64_t id) : graph_(graph), mode_(mode), id_(id) {}

  // Fails, naming the instruction, if the expression is not an integer scalar, depends on anything but an id and
  // constants, mixes partition-id with replica-id, or is too long.
  Result<int64_t> Evaluate(Node node);

 private:
  Result<int64_t> EvaluateNew(Node node);
  Result<int64_t> LogicalId(Node node);
  Result<int64_t> LookUp(Node slice);

  const Graph& graph_;
  hlo::GroupMode mode_;
  int64_t id_;
  hlo::Opcode read_id_ = hlo::Opcode::kOther;  // the id read so far: partition-id, replica-id, or kOther for none
  std::unordered_map<Node, int64_t> known_;
  int steps_ = 0;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_RANK_EXPRESSION_H_
