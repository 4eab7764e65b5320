// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/prepare_sums.h"

#include <optional>
#include <set>
#include <utility>

#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/reachable.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/sums/fold_sums.h"
#include "xla_pass/sums/lone_ranks.h"
#include "xla_pass/sums/sink_sums.h"
#include "xla_pass/sums/stage.h"

namespace jax_oneshot {
namespace {

// Bounds the number of nested sums, one per mesh axis; meshes have few axes.
constexpr int kMaxRounds = 8;

GoneSum Describe(const Graph& graph, const MovedSum& moved, const std::set<int>& loops) {
  const hlo::Instruction& instruction = graph.at(moved.all_reduce);
  GoneSum gone;
  gone.name = std::string(instruction.name);
  gone.computation = std::string(graph.computation_of(moved.all_reduce).name);
  gone.shape = instruction.shape->ToString();
  if (moved.into != kNoNode) gone.into = std::string(graph.at(moved.into).name);
  gone.why = moved.why;
  gone.bytes = MessageBytes(*instruction.shape);
  const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(instruction);
  if (groups && !groups->groups.empty()) gone.group_size = static_cast<int64_t>(groups->groups[0].size());
  gone.in_loop = loops.count(graph.computation_index(moved.all_reduce)) != 0;
  return gone;
}

class Preparer {
 public:
  Preparer(const hlo::Module& module, bool may_sink) : module_(&module), may_sink_(may_sink) {}

  Result<PreparedModule> Run() {
    if (Result<bool> ok = Do(DropLoneRanks); !ok) return Err(ok.error());
    // A sum that has sunk may be folded with another one, and the result may sink further.
    for (int i = 0; i < kMaxRounds; ++i) {
      const Result<bool> sunk = may_sink_ ? Do(SinkSums) : Result<bool>(false);
      if (!sunk) return Err(sunk.error());
      const Result<bool> folded = Do(FoldSums);
      if (!folded) return Err(folded.error());
      if (!*sunk && !*folded) break;
    }
    return std::move(prepared_);
  }

 private:
  // Returns false if the stage changed nothing.
  template <typename Stage>
  Result<bool> Do(Stage stage) {
    if (!graph_) graph_.emplace(*module_);
    const Graph& graph = *graph_;
    const StageResult result = stage(graph);
    if (result.edit.empty()) return false;
    std::set<int> loops;
    for (const ReachableComputation& reachable : FindReachable(*module_)) {
      if (reachable.in_loop) loops.insert(reachable.computation);
    }
    for (const MovedSum& moved : result.moved) prepared_.gone.push_back(Describe(graph, moved, loops));
    std::string bytes = result.edit.Write();
    graph_.reset();
    Result<hlo::Module> parsed = hlo::ParseModule(bytes_ = std::move(bytes));
    if (!parsed) return Err("a module with its sums prepared does not read back: " + parsed.error());
    parsed_ = *std::move(parsed);
    module_ = &parsed_;
    prepared_.bytes = bytes_;
    return true;
  }

  const hlo::Module* module_;
  const bool may_sink_;
  std::optional<Graph> graph_;  // of `module_`; built by the first stage that needs it
  std::string bytes_;           // the module after the last stage that changed it; `parsed_` points into it
  hlo::Module parsed_;
  PreparedModule prepared_;
};

}  // namespace

Result<PreparedModule> PrepareSums(const hlo::Module& module, bool may_sink) {
  return Preparer(module, may_sink).Run();
}

}  // namespace jax_oneshot
