// SPDX-License-Identifier: Apache-2.0
// Implementation of plain_pass.h.
#include "xla_pass/plain_pass.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "row_program/kernel_name.h"
#include "xla_pass/combiner/combined_collectives.h"
#include "xla_pass/combiner/count_collectives.h"
#include "xla_pass/describe_calls.h"
#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/overwritten_values.h"
#include "xla_pass/graph/replication.h"
#include "xla_pass/graph/step_budget.h"
#include "xla_pass/hlo_view/donation.h"
#include "xla_pass/hlo_view/reachable.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/regions/decide_regions.h"
#include "xla_pass/regions/graph_segments.h"
#include "xla_pass/regions/left_to_combiner.h"
#include "xla_pass/regions/number_rewrites.h"
#include "xla_pass/regions/region.h"
#include "xla_pass/rewrite/liveness.h"
#include "xla_pass/rewrite/new_names.h"
#include "xla_pass/rewrite/rewrite_computation.h"
#include "xla_pass/rewrite/splice.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

class Pass {
 public:
  // Fills `made`, if not null, with the regions that became calls.
  Pass(const hlo::Module& module, const PassOptions& options, std::vector<MadeRegion>* made = nullptr)
      : module_(module),
        options_(options),
        steps_(options.max_steps > 0 ? options.max_steps : StepsFor(module.InstructionCount())),
        graph_(module),
        replication_(graph_),
        limits_(CombinedAfterPass(options)),
        made_(made) {
    if (options.platform == Platform::kCpu) overwritten_.emplace(graph_);
    context_.next_instruction_id = module.max_instruction_id + 1;
    context_.next_name = FirstFreeNumber(module);
    context_.timeout_ms = options.timeout_ms;
    context_.two_shot_from = options.two_shot_from;
    context_.pass_logical_ids = options.platform == Platform::kCpu;
    context_.keep_slices_apart = options.platform == Platform::kCuda;
    context_.update_in_place = options.platform == Platform::kCuda;
  }

  Result<PassResult> Run() {
    PassReport& report = result_.report;
    report.module = std::string(module_.name);
    report.instructions = module_.InstructionCount();
    report.collectives_before = report.collectives_after = CountCollectives(module_);
    report.num_replicas = module_.replica_count;
    report.num_partitions = module_.partition_count;
    for (const ReachableComputation& reachable : FindReachable(module_)) {
      const int64_t removed_before = report.collectives_before - report.collectives_after;
      RunOn(reachable);
      const int64_t removed_here = report.collectives_before - report.collectives_after - removed_before;
      if (reachable.in_loop) CountLoop(module_.computations[reachable.computation], removed_here);
    }
    report.steps = steps_.all() - std::max<int64_t>(steps_.left(), 0);
    if (!edits_.empty()) result_.module = SpliceModule(module_, edits_, FindUncalled(graph_, removed_));
    if (result_.module) {
      const Result<hlo::Module> written = hlo::ParseModule(*result_.module);
      if (!written) return Err("what it wrote does not read back: " + written.error());
      CountWhatIsLeft(*written);
    } else {
      CountWhatIsLeft(module_);
    }
    return std::move(result_);
  }

 private:
  // Counts the collectives that XLA will run. Parsing the written module has checked it: every reference resolves to an
  // earlier instruction.
  void CountWhatIsLeft(const hlo::Module& module) {
    PassReport& report = result_.report;
    if (limits_.bytes == 0) return;
    const Graph graph(module);
    report.collectives_after = 0;
    for (const hlo::Computation& computation : module.computations) {
      const int64_t count = CountCombined(graph, computation.index, limits_);
      report.collectives_after += count;
      for (LoopCount& loop : report.loops) {
        if (loop.computation == computation.name) loop.collectives_after = count;
      }
    }
  }

  void CountLoop(const hlo::Computation& computation, int64_t removed) {
    const int64_t before = CountCollectives(computation);
    if (before == 0) return;
    result_.report.loops.push_back({std::string(computation.name), before, before - removed});
  }

  void RunOn(const ReachableComputation& reachable) {
    SiteTable sites;
    const hlo::Computation& computation = module_.computations[reachable.computation];
    for (int i = 0; i < static_cast<int>(computation.instructions.size()); ++i) {
      const Opcode opcode = computation.instructions[i].opcode;
      if (opcode != Opcode::kAllReduce && opcode != Opcode::kAllReduceStart) continue;
      const Node node = graph_.node(reachable.computation, i);
      const Result<hlo::ReplicaGroups> groups = DecodeReplicaGroups(graph_.at(node));
      Verdict verdict = Describe(node, reachable.in_loop, groups);
      Decision<Site> site = Check(node, groups);
      if (!site) {
        verdict.reason = site.error();
      } else {
        sites.Add(*std::move(site));
      }
      verdict_of_[node] = result_.report.all_reduces.size();
      result_.report.all_reduces.push_back(std::move(verdict));
    }
    if (sites.size() == 0) return;
    DependencyOrder order(graph_, reachable.computation, &steps_);
    std::vector<Region> decided = WithinLimit(Decide(sites, &order), sites);
    if (options_.platform == Platform::kCuda && reachable.computation == module_.entry) CutIntoGraphs(&decided);
    const std::vector<Region> made = Rewrite(reachable.computation, sites, std::move(decided));
    if (made.empty()) return;
    const std::vector<CallReport> calls = DescribeCalls(graph_, sites, made, storage_.back());
    for (size_t r = 0; r < made.size(); ++r) {
      const Region& region = made[r];
      Record(region, calls[r], sites);
      result_.report.calls.push_back({region.program_text, region.extent.rows, region.extent.width,
                                      sites.site(region.seeds[0].site).group_size,
                                      AlgorithmOf(region, sites, options_.two_shot_from)});
      if (made_ != nullptr) made_->push_back(Describe(region, sites));
    }
  }

  void CutIntoGraphs(std::vector<Region>* regions) {
    if (regions->empty()) return;
    const hlo::Computation& entry = module_.computations[module_.entry];
    const hlo::Shape& result = *entry.instructions[entry.root].shape;
    const StepFacts step = {result.IsTuple() ? static_cast<int64_t>(result.tuple_shapes.size()) : 1,
                            hlo::CountDonatedOutputs(module_.bytes)};
    const GraphCut cut = DecideGraphCut(options_.calls_per_graph, step, static_cast<int64_t>(regions->size()));
    MarkGraphEnds(cut, regions);
    result_.report.calls_per_graph = cut.calls_per_graph;
    result_.report.why_calls_per_graph = cut.why;
  }

  Verdict Describe(Node node, bool in_loop, const Result<hlo::ReplicaGroups>& groups) {
    const hlo::Instruction& instruction = graph_.at(node);
    Verdict verdict;
    verdict.name = std::string(instruction.name);
    verdict.computation = std::string(graph_.computation_of(node).name);
    verdict.shape = instruction.shape->ToString();
    verdict.bytes = MessageBytes(*instruction.shape);
    verdict.in_loop = in_loop;
    if (groups && !groups->groups.empty()) {
      verdict.group_size = static_cast<int64_t>(groups->groups[0].size());
      NoteWorldSize(*groups);
    }
    return verdict;
  }

  MadeRegion Describe(const Region& region, const SiteTable& sites) const {
    const auto name = [&](Node node) { return std::string(graph_.at(node).name); };
    MadeRegion made;
    for (const SiteRef& seed : region.seeds) made.all_reduces.push_back(name(sites.site(seed.site).all_reduce));
    made.computation = std::string(graph_.computation_of(region.members[0]).name);
    for (const Node member : region.members) made.members.insert(name(member));
    for (const Node output : region.outputs) made.outputs.push_back(name(output));
    for (const Node leaf : region.InputLeaves()) made.reads.insert(name(leaf));
    made.output_indices = region.output_indices;
    return made;
  }

  // The proto seldom gives the numbers of replicas and partitions; the groups list all ids.
  void NoteWorldSize(const hlo::ReplicaGroups& groups) {
    int64_t largest = 0;
    for (const auto& group : groups.groups) {
      for (int64_t id : group) largest = std::max(largest, id);
    }
    const bool counts_replicas = groups.mode == hlo::GroupMode::kCrossReplica;
    int64_t* counted = counts_replicas ? &result_.report.num_replicas : &result_.report.num_partitions;
    *counted = std::max(*counted, largest + 1);
    int64_t* other = counts_replicas ? &result_.report.num_partitions : &result_.report.num_replicas;
    *other = std::max<int64_t>(*other, 1);
  }

  Decision<Site> Check(Node node, const Result<hlo::ReplicaGroups>& groups) const {
    if (options_.keep_all) return Refuse(*options_.keep_all);
    const hlo::Instruction& instruction = graph_.at(node);
    if (instruction.opcode == Opcode::kAllReduceStart) return Refuse<ReasonId::kAsynchronous>(instruction.opcode_name);
    if (module_.has_schedule) return Refuse<ReasonId::kScheduled>();
    if (options_.platform == Platform::kCpu && !options_.single_process) return Refuse<ReasonId::kMultiProcess>();
    return CheckSite(graph_, node, groups, {options_.max_bytes});
  }

  Verdict& VerdictOf(Node all_reduce) { return result_.report.all_reduces[verdict_of_.at(all_reduce)]; }
  Verdict& VerdictOf(const SiteTable& sites, const SiteRef& seed) {
    return VerdictOf(sites.site(seed.site).all_reduce);
  }

  std::vector<Region> Decide(const SiteTable& sites, DependencyOrder* order) {
    const bool is_gpu = options_.platform == Platform::kCuda;
    // XLA:CPU has already made its reduce-scatters when the pass runs.
    const OverwrittenValues* overwritten = overwritten_ ? &*overwritten_ : nullptr;
    const DecideOptions options = {{is_gpu, options_.max_bytes, &replication_, &programs_, overwritten}, is_gpu};
    Decisions decisions = DecideRegions(graph_, sites, options, order);
    for (const auto& [seed, why] : decisions.kept) VerdictOf(sites, seed).reason = why;
    return WithoutCombined(std::move(decisions.regions), sites);
  }

  // Drops regions whose calls would be more than the collectives that XLA would run. XLA:GPU combines after the pass;
  // XLA:CPU has already combined, so there one variadic all-reduce must not become several calls.
  std::vector<Region> WithoutCombined(std::vector<Region> regions, const SiteTable& sites) {
    if (regions.size() < 2) return regions;
    const int computation = graph_.computation_index(sites.site(regions[0].seeds[0].site).all_reduce);
    const std::vector<int> combined = CombinedCollectives(graph_, computation, limits_, &steps_);
    const std::vector<LeftRegion> left = FindLeftToCombiner(graph_, sites, regions, combined);
    std::vector<Region> taken;
    auto next_left = left.begin();
    for (size_t r = 0; r < regions.size(); ++r) {
      if (next_left == left.end() || next_left->region != r) {
        taken.push_back(std::move(regions[r]));
        continue;
      }
      const Reason why = MakeReason<ReasonId::kLeftToCombiner>(next_left->collectives, next_left->calls);
      for (const SiteRef& seed : regions[r].seeds) VerdictOf(sites, seed).reason = why;
      for (Node all_reduce : regions[r].inner_all_reduces) VerdictOf(all_reduce).reason = why;
      ++next_left;
    }
    return taken;
  }

  // Drops the regions beyond JAX_ONESHOT_LIMIT, which are the last ones. A dropped region stays unchanged in the
  // module, so the dependency order found with it remains valid.
  std::vector<Region> WithinLimit(std::vector<Region> regions, const SiteTable& sites) {
    const std::vector<int64_t> numbers = NumberRewrites(regions, result_.report.rewrites + 1);
    std::vector<Region> made;
    for (size_t r = 0; r < regions.size(); ++r) {
      const bool is_beyond = options_.max_rewrites >= 0 && numbers[r] > options_.max_rewrites;
      std::vector<Node> all_reduces = regions[r].inner_all_reduces;
      for (const SiteRef& seed : regions[r].seeds) all_reduces.push_back(sites.site(seed.site).all_reduce);
      for (Node all_reduce : all_reduces) {
        Verdict& verdict = VerdictOf(all_reduce);
        verdict.rewrite = is_beyond ? 0 : numbers[r];
        if (is_beyond) verdict.reason = MakeReason<ReasonId::kBeyondLimit>();
      }
      if (is_beyond) continue;
      result_.report.rewrites = std::max(result_.report.rewrites, numbers[r]);
      made.push_back(std::move(regions[r]));
    }
    return made;
  }

  static std::string KernelNameOf(const Region& region, const SiteTable& sites) {
    return KernelName(region.program, region.extent.rows, region.extent.width,
                      static_cast<int>(sites.site(region.seeds[0].site).group_size));
  }

  void Record(const Region& region, const CallReport& call, const SiteTable& sites) {
    const std::string kernel = options_.platform == Platform::kCuda ? KernelNameOf(region, sites) : "";
    for (Node all_reduce : region.inner_all_reduces) {
      Verdict& verdict = VerdictOf(all_reduce);
      verdict.kind = VerdictKind::kFused;
      verdict.kernel = kernel;
      verdict.reason =
          MakeReason<ReasonId::kCompletesRowReduction>(graph_.at(sites.site(region.seeds[0].site).all_reduce).name);
      verdict.row_program = region.program_text;
      verdict.call = call;
    }
    const auto all_reduces = static_cast<int64_t>(call.all_reduces.size());
    const bool is_fused = region.absorbed_instructions > 0 || all_reduces > 1;
    for (const SiteRef& seed : region.seeds) {
      Verdict& verdict = VerdictOf(sites, seed);
      // A tuple all-reduce may end up in several regions: report the one that absorbed most.
      const bool is_first = verdict.kind == VerdictKind::kKept;
      if (!is_first && region.absorbed_instructions <= verdict.absorbed_instructions) continue;
      verdict.kind = is_fused ? VerdictKind::kFused : VerdictKind::kPlain;
      verdict.reason = region.ends;
      verdict.row_program = region.program_text;
      verdict.call = call;
      verdict.ends_graph = region.ends_graph;
      verdict.kernel = kernel;
      verdict.absorbed_instructions = region.absorbed_instructions;
      verdict.absorbed_all_reduces = all_reduces - 1;
      verdict.absorbed_all_gathers = static_cast<int64_t>(region.all_gathers.size());
      verdict.outputs = static_cast<int64_t>(region.program.outputs.size());
    }
  }

  // Returns the regions that were written. If one cannot be written, its all-reduces are kept.
  std::vector<Region> Rewrite(int computation, const SiteTable& sites, std::vector<Region> regions) {
    while (!regions.empty()) {
      const RewriteContext before = context_;
      RewriteProblem problem;
      Result<RewrittenComputation> rewritten =
          RewriteComputation(graph_, computation, sites, regions, &context_, &problem);
      if (rewritten) {
        Apply(*std::move(rewritten), regions.size());
        break;
      }
      context_ = before;
      const size_t wrong = problem.region >= 0 ? static_cast<size_t>(problem.region) : regions.size() - 1;
      std::vector<std::pair<SiteRef, Reason>> kept;
      const Reason why_wrong = MakeReason<ReasonId::kPassFailed>(rewritten.error());
      const std::vector<Node> inner = regions[wrong].inner_all_reduces;
      regions = WithoutRegion(std::move(regions), wrong, why_wrong, &kept);
      for (const auto& [seed, why] : kept) KeepAfterAll(&VerdictOf(sites, seed), why);
      for (Node all_reduce : inner) KeepAfterAll(&VerdictOf(all_reduce), why_wrong);
    }
    return regions;
  }

  static void KeepAfterAll(Verdict* verdict, const Reason& why) {
    verdict->reason = why;
    verdict->rewrite = 0;
  }

  void Apply(RewrittenComputation written, size_t calls) {
    removed_.insert(removed_.end(), written.removed.begin(), written.removed.end());
    for (Node node : written.removed) result_.report.collectives_after -= IsCollective(graph_.at(node).opcode);
    result_.report.collectives_after += static_cast<int64_t>(calls);
    result_.report.collectives_after -= static_cast<int64_t>(written.replaced.size());
    storage_.push_back(std::move(written));
    edits_.push_back(storage_.back().edit);
  }

  const hlo::Module& module_;
  const PassOptions& options_;
  StepBudget steps_;
  Graph graph_;
  ReplicationCache replication_;
  std::optional<OverwrittenValues> overwritten_;  // CPU only, where XLA has already inserted its copies
  KnownPrograms programs_;
  CombineLimits limits_;
  std::unordered_map<Node, size_t> verdict_of_;  // by all-reduce: its index in the report
  RewriteContext context_;
  PassResult result_;
  std::deque<RewrittenComputation> storage_;
  std::vector<ComputationEdit> edits_;
  std::vector<Node> removed_;
  std::vector<MadeRegion>* made_;
};

}  // namespace

Result<PassResult> RunPlainPass(const hlo::Module& module, const PassOptions& options, std::vector<MadeRegion>* made) {
  return Pass(module, options, made).Run();
}

}  // namespace jax_oneshot
