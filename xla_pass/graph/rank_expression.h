// Evaluates a scalar integer expression of partition-id or replica-id (an offset of a slice) for one logical id.
//
//   multiply(convert(partition-id), 64)                                  at id 3 -> 192
//   reshape(dynamic-slice(constant {0, 64, 0, 64}, partition-id))        at id 3 -> 64
//
// Evaluated, not matched: any mix of arithmetic, comparisons, conversions and look-ups in constants will do, computed
// in front of a loop or in it.
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
  // `id`: as groups of `mode` name it.
  RankExpression(const Graph& graph, hlo::GroupMode mode, int64_t id) : graph_(graph), mode_(mode), id_(id) {}

  // Fails, naming the instruction, on what is no integer expression, reads anything but an id and constants, mixes
  // partition-id with replica-id, or is long.
  Result<int64_t> Evaluate(Node node);

 private:
  Result<int64_t> EvaluateNew(Node node);
  Result<int64_t> LogicalId(Node node);
  Result<int64_t> LookUp(Node slice);

  const Graph& graph_;
  hlo::GroupMode mode_;
  int64_t id_;
  hlo::Opcode read_id_ = hlo::Opcode::kOther;  // partition-id or replica-id, once one was read
  std::unordered_map<Node, int64_t> known_;
  int steps_ = 0;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_RANK_EXPRESSION_H_
