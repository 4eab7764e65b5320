// SPDX-License-Identifier: Apache-2.0
// Translates the instructions after an all-reduce into row program statements, one unit at a time in dependency order,
// or says why an instruction has no row form.
//
//   %r = add(%ar, %x); %s = multiply(%r, %r); %m = reduce(%s, 0), dimensions={1}
//   -> x1 = load; x2 = add x0, x1; x3 = multiply x2, x2; x4 = reduce_sum x3
//
//   %c = dynamic-slice(%r, my columns); %s = reduce(%c * %c); %t = all-reduce(%s); ..; %g = all-gather(%c * %rsqrt)
//   -> the same program: statements describe whole rows; sharding is only how ranks hold a value
//
// A unit is one instruction of the region's computation. A fusion is one unit: it is translated completely or not at
// all.
#ifndef XLA_PASS_TRANSLATE_ROW_TRANSLATOR_H_
#define XLA_PASS_TRANSLATE_ROW_TRANSLATOR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/graph/step_budget.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/shards/shards.h"
#include "xla_pass/translate/external_values.h"
#include "xla_pass/translate/program_builder.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

struct TranslatorScope {
  int computation = 0;
  RowExtent extent;
  const hlo::ReplicaGroups* groups = nullptr;  // participants of the exchange
  std::function<bool(Node)> is_opaque;         // another region owns the instruction
  std::function<bool(Node)> is_same;           // known to be the same on every rank of a group
  StepBudget* steps = nullptr;
  const OverwrittenValues* overwritten = nullptr;  // null: copies are inserted after the pass
};

// Allowed layouts of a returned value; with kAny, a copy after the call produces layouts other than row-major.
enum class LayoutRule : uint8_t { kRowMajor, kAny };

class RowTranslator {
 public:
  RowTranslator(const Graph& graph, const TranslatorScope& scope);
  RowTranslator(const RowTranslator&) = delete;
  RowTranslator& operator=(const RowTranslator&) = delete;

  // Seeds the region: each of `results` holds the ranks' combined `operand` values.
  void AddAllReduce(Reducer reducer, Node operand, const std::vector<Node>& results, DType dtype);
  // Seeds a region without a sum: `shard` holds each rank's columns. Fails if it cannot be gathered.
  Decision<void> AddShard(Node shard, const RowLayout& fold);

  // Changes nothing on failure.
  Decision<void> TranslateUnit(Node unit);
  // Undoes the last successful TranslateUnit.
  void TakeBackLastUnit();

  // The output that returns a value. Partial row sums, tuples and transposed values (IsTransposed) cannot be returned.
  Decision<Output> ExportOf(Node node, LayoutRule layouts = LayoutRule::kRowMajor) const;
  bool CanExport(Node node) const { return FindProblem(node, LayoutRule::kRowMajor) == nullptr; }

  // True if a value's columns come first. Its users may be returned once they have rows first again.
  bool IsTransposed(Node node) const;

  const std::vector<CallOperand>& operands() const { return externals_.operands(); }
  std::vector<Node> AllGathersOfOperands() const { return externals_.AllGathers(); }
  const ProgramBuilder& builder() const { return builder_; }
  bool Computes(Node node) const { return known_.Contains(node); }

 private:
  // A partially computed row reduction; the value's id is that of the reduced value. Either windows have been reduced
  // and a reduce completes it, or each rank's columns have been reduced and an all-reduce completes it.
  struct Partial {
    Op op;
    bool over_ranks;
  };

  struct RowValue {
    int id = 0;
    RowLayout fold;
    Distribution distribution = Distribution::kWhole;
    std::optional<Partial> partial;
    bool is_tuple = false;  // several values, each read by a get-tuple-element; the other fields mean nothing
  };

  Decision<void> TranslateFusion(Node fusion, int fused);
  Decision<RowValue> Translate(Node node);
  Decision<RowValue> TranslateElementwise(Node node, Op op);
  Decision<RowValue> PassPartial(Node node, const RowValue& value) const;
  Decision<RowValue> TranslateBroadcast(Node node);
  Decision<RowValue> TranslateMove(Node node);
  Decision<RowValue> TranslateReduce(Node node);
  Decision<RowValue> TranslateReduceWindow(Node node);
  Decision<RowValue> TranslateTupleElement(Node node);
  Decision<RowValue> TranslateSlice(Node node);
  Decision<RowValue> TranslateGather(Node node);
  Decision<RowValue> TranslateAllReduce(Node node);
  Decision<RowValue> CompleteOverRanks(Node operand, const hlo::Shape& shape);
  Decision<int> CombineWithInitial(Node reduce, Op reduction, int value);

  // Each rank computes the shards of all ranks, so values used there must be the same on all ranks.
  Decision<void> CheckSame(int value) const;
  std::optional<Distribution> DistributionOf(Node node, const RowLayout& fold) const;
  Node Resolve(Node node) const;  // through parameters of absorbed fusions
  const RowValue* Find(Node node) const;
  const char* FindProblem(Node node, LayoutRule layouts) const;  // why a value cannot be returned; null if it can
  void Set(Node node, const RowValue& value);

  const Graph& graph_;
  const TranslatorScope scope_;
  const Shards shards_;
  ProgramBuilder builder_;
  ExternalValues externals_;
  NodeSet known_;
  std::vector<RowValue> values_;  // by number in known_
  ProgramBuilder::Checkpoint unit_mark_ = {0, 0};
  size_t unit_first_value_ = 0;  // first value added by the last unit
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_ROW_TRANSLATOR_H_
