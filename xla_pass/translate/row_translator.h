// Translates instructions behind an all-reduce into row program statements, one unit at a time in dependency order; or
// says why an instruction has no row form.
//
//   %r = add(%ar, %x); %s = multiply(%r, %r); %m = reduce(%s, 0), dimensions={1}
//   -> x1 = load; x2 = add x0, x1; x3 = multiply x2, x2; x4 = reduce_sum x3
//
//   %c = dynamic-slice(%r, my columns); %s = reduce(%c * %c); %t = all-reduce(%s); ..; %g = all-gather(%c * %rsqrt)
//   -> the same program: statements are about whole rows, a shard is how a rank holds one of their values
//
// A unit is one instruction of the region's computation. A fusion is one unit: all of it has a row form or none.
#ifndef XLA_PASS_TRANSLATE_ROW_TRANSLATOR_H_
#define XLA_PASS_TRANSLATE_ROW_TRANSLATOR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/graph/step_budget.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/shards/shards.h"
#include "xla_pass/translate/external_values.h"
#include "xla_pass/translate/program_builder.h"

namespace jax_oneshot {

struct TranslatorScope {
  int computation = 0;
  RowExtent extent;
  const hlo::ReplicaGroups* groups = nullptr;  // who takes part in the exchange
  std::function<bool(Node)> is_opaque;         // another region owns the instruction
  std::function<bool(Node)> is_same;           // certainly the same on every rank of a group
  StepBudget* steps = nullptr;
};

// The layouts that a value may have where it is returned; a copy behind the call makes any but row-major.
enum class LayoutRule : uint8_t { kRowMajor, kAny };

class RowTranslator {
 public:
  RowTranslator(const Graph& graph, const TranslatorScope& scope);
  RowTranslator(const RowTranslator&) = delete;
  RowTranslator& operator=(const RowTranslator&) = delete;

  // Seeds the region: `results` all hold what the ranks' `operand` values add up to.
  void AddAllReduce(Reducer reducer, Node operand, const std::vector<Node>& results, DType dtype);
  // Seeds a region that sums nothing: `shard` holds each rank's columns. Fails where it cannot be gathered.
  Result<void> AddShard(Node shard, const RowLayout& fold);

  // On failure nothing has changed.
  Result<void> TranslateUnit(Node unit);
  // Undoes the last TranslateUnit that succeeded.
  void TakeBackLastUnit();

  // A value as the call can return it. Partial row sums, tuples and what IsTransposed cannot be returned.
  Result<Output> ExportOf(Node node, LayoutRule layouts = LayoutRule::kRowMajor) const;
  bool CanExport(Node node) const { return FindProblem(node, LayoutRule::kRowMajor) == nullptr; }

  // A value whose columns come first. What reads it may be returned, once its rows come first again.
  bool IsTransposed(Node node) const;

  const std::vector<CallOperand>& operands() const { return externals_.operands(); }
  std::vector<Node> AllGathersOfOperands() const { return externals_.AllGathers(); }
  const ProgramBuilder& builder() const { return builder_; }
  bool Computes(Node node) const { return known_.Contains(node); }
  // Elementary instructions a unit stands for: those inside it, or itself.
  int64_t InstructionCount(Node unit) const;

 private:
  // A row reduction of which a part is done; the value's id is that of what is reduced. Windows are done and a reduce
  // completes it, or each rank's columns are done and an all-reduce completes it.
  struct Partial {
    Op op;
    bool over_ranks;
  };

  struct RowValue {
    int id = -1;
    RowLayout fold;
    Distribution distribution = Distribution::kWhole;
    std::optional<Partial> partial;
  };

  Result<void> TranslateFusion(Node fusion, int fused);
  Result<RowValue> Translate(Node node);
  Result<RowValue> TranslateElementwise(Node node, Op op);
  Result<RowValue> PassPartial(Node node, const RowValue& value) const;
  Result<RowValue> TranslateBroadcast(Node node);
  Result<RowValue> TranslateMove(Node node);
  Result<RowValue> TranslateReduce(Node node);
  Result<RowValue> TranslateReduceWindow(Node node);
  Result<RowValue> TranslateTupleElement(Node node);
  Result<RowValue> TranslateSlice(Node node);
  Result<RowValue> TranslateGather(Node node);
  Result<RowValue> TranslateAllReduce(Node node);
  Result<RowValue> CompleteOverRanks(Node operand, const hlo::Shape& shape);
  Result<int> CombineWithInitial(Node reduce, Op reduction, int value);

  // What is computed on shards is computed for all ranks on every rank, so it must be the same on each.
  Result<void> CheckSame(int value) const;
  std::optional<Distribution> SpreadOf(Node node, const RowLayout& fold) const;
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
  size_t unit_first_value_ = 0;  // the first that the last unit added
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_ROW_TRANSLATOR_H_
