// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/grow_region.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "xla_pass/regions/around_collectives.h"
#include "xla_pass/regions/region_seed.h"
#include "xla_pass/regions/trim_region.h"
#include "xla_pass/shards/shard_source.h"
#include "xla_pass/translate/row_translator.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Keeps programs within the limits of ValidateRowProgram and the kernels.
constexpr int kMaxMembers = 256;
// Grows one region from one seed.
class Grower {
 public:
  Grower(const Graph& graph, const SiteTable& sites, const DependencyOrder& order, const GrowOptions& options,
         RegionSeed* seed)
      : graph_(graph),
        sites_(sites),
        order_(order),
        options_(options),
        seed_(*seed),
        site_(sites.site(seed->sites()[0].site)),
        computation_(graph.computation_index(site_.all_reduce)) {}

  // The seed alone.
  Decision<Region> Ungrown(Reason ends) {
    Reset();
    ends_ = std::move(ends);
    return Finish();
  }

  Decision<Region> Grow() {
    // Each iteration finishes, finds one more all-reduce to sum, or drops one whose sum nothing uses.
    while (GrowFromStart() == Growth::kStartAgain) {
    }
    return Finish();
  }

  // Grows a norm around an all-reduce of row sums, up to its all-gather. None if the all-reduce is not part of one.
  std::optional<Region> GrowNorm(const ShardSource& source) {
    Reset();
    const int64_t bytes = MessageBytes(*graph_.at(source.node).shape);
    const bool is_gathered =
        translator_->Computes(source.node) && bytes <= options_.max_bytes.at(static_cast<size_t>(site_.group_size));
    if (!is_gathered) return std::nullopt;
    // The second time without the all-gathers that others read too.
    if (GrowFromStart() == Growth::kStartAgain && GrowFromStart() == Growth::kStartAgain) return std::nullopt;
    KeepAroundCollectives();
    if (!IsNorm(site_.all_reduce, Trim(seed_.members()).members)) return std::nullopt;
    Decision<Region> norm = Finish();
    if (!norm || norm->kept_because) return std::nullopt;
    return *std::move(norm);
  }

 private:
  // kStartAgain: the seed has changed, or what may be looked through.
  enum class Growth : uint8_t { kComplete, kStartAgain };

  void Reset() {
    translator_ = std::make_unique<RowTranslator>(
        graph_,
        TranslatorScope{computation_, seed_.extent(), &site_.groups, [this](Node node) { return IsOpaque(node); },
                        [this](Node node) { return options_.replication->For(site_.groups).IsSame(node); },
                        order_.steps(), options_.overwritten});
    seed_.AddTo(translator_.get());
    members_ = seed_.members();
  }

  bool IsOpaque(Node node) const {
    return graph_.computation_index(node) == computation_ && (order_.region(node) >= 0 || kept_gathers_.Contains(node));
  }

  // Absorbs an all-gather before the region into its exchange if it has no other users. Returns false if one has: grow
  // again without it.
  bool KeepWantedGathers() {
    const size_t before = kept_gathers_.size();
    for (Node gather : translator_->AllGathersOfOperands()) {
      if (!IsReadHereOnly(gather)) kept_gathers_.Insert(gather);
    }
    return kept_gathers_.size() == before;
  }

  // True if all direct users, and users through moves, converts and broadcasts of a weight, are in the region.
  bool IsReadHereOnly(Node gather) const {
    constexpr size_t kMostReaders = 256;
    NodeSet seen = {gather};
    for (size_t i = 0; i < seen.size(); ++i) {
      const Node node = seen.keys()[i];
      if (graph_.is_root(node) || order_.IsReadByRegion(node)) return false;
      for (Node user : graph_.users(node)) {
        if (members_.Contains(user)) continue;
        if (order_.region(user) >= 0 || seen.size() == kMostReaders) return false;
        seen.Insert(user);
      }
    }
    return true;
  }

  // True if the trimmed region contains the all-reduce and an all-gather.
  bool IsNorm(Node all_reduce, const std::vector<Node>& members) const {
    return std::find(members.begin(), members.end(), all_reduce) != members.end() &&
           std::any_of(members.begin(), members.end(),
                       [&](Node member) { return graph_.at(member).opcode == Opcode::kAllGather; });
  }

  void KeepAroundCollectives() {
    const std::vector<Node> kept = AroundCollectives(graph_, members_.keys());
    members_.Truncate(0);
    for (Node member : kept) members_.Insert(member);
  }

  Growth GrowFromStart() {
    Reset();
    end_node_ = kNoNode;
    ends_ = MakeReason<ReasonId::kRegionComplete>();
    frontier_.clear();
    const NodeSet values = seed_.values();
    for (Node value : values.keys()) PushUsers(value);
    Node last = kNoNode;
    while (!frontier_.empty()) {
      const Node unit = PopLowest();
      if (unit == last || members_.Contains(unit) || order_.region(unit) >= 0) continue;
      last = unit;
      const Decision<Attempt> attempt = TryAdd(unit);
      if (!attempt) {
        NoteEnd(unit, attempt.error());
        continue;
      }
      if (*attempt == Attempt::kFoundAnotherSum) return Growth::kStartAgain;
      members_.Insert(unit);
      PushUsers(unit);
    }
    const bool changed = seed_.DropUseless(translator_->builder().program()) || !KeepWantedGathers();
    return changed ? Growth::kStartAgain : Growth::kComplete;
  }

  // Queues the users, lowest level first. A user of two members is queued twice and comes up twice in a row, because
  // users queued later have a higher level.
  void PushUsers(Node node) {
    for (Node user : graph_.users(node)) {
      frontier_.emplace_back(order_.level(user), user);
      std::push_heap(frontier_.begin(), frontier_.end(), std::greater<>());
    }
  }

  Node PopLowest() {
    std::pop_heap(frontier_.begin(), frontier_.end(), std::greater<>());
    const Node node = frontier_.back().second;
    frontier_.pop_back();
    return node;
  }

  // What became of a unit that was not refused.
  enum class Attempt : uint8_t { kAdded, kFoundAnotherSum };

  Decision<Attempt> TryAdd(Node unit) {
    if (!order_.steps()->Spend()) return Refuse<ReasonId::kStepsSpent>();
    if (static_cast<int>(members_.size()) >= kMaxMembers) return Refuse<ReasonId::kRegionSize>();
    if (graph_.has_control_edges(unit)) return Refuse<ReasonId::kHasControlDependencies>();
    const size_t operands_before = translator_->operands().size();
    if (Decision<void> translated = translator_->TranslateUnit(unit); !translated) return Refuse(translated.error());
    for (size_t i = operands_before; i < translator_->operands().size(); ++i) {
      for (Node leaf : translator_->operands()[i].leaves) {
        if (seed_.Join(leaf, members_)) return Attempt::kFoundAnotherSum;
        if (order_.DependsOn(leaf, members_)) {
          translator_->TakeBackLastUnit();
          return Refuse<ReasonId::kOperandFromRegion>(graph_.at(leaf).name);
        }
      }
    }
    return Attempt::kAdded;
  }

  void NoteEnd(Node unit, const Reason& why) {
    if (end_node_ != kNoNode) return;
    end_node_ = unit;
    ends_ = RegionEnds(graph_.at(unit).name, why);
  }

  // The region ends at a dropped transposed value if that comes before all other values that stay outside.
  void NoteTransposed(Node node) {
    if (node == kNoNode || (end_node_ != kNoNode && order_.level(end_node_) <= order_.level(node))) return;
    end_node_ = kNoNode;
    NoteEnd(node, MakeReason<ReasonId::kStaysTransposed>());
  }

  TrimmedRegion Trim(const NodeSet& seed_results) const {
    return TrimRegion(graph_, *translator_, order_, members_, seed_results, options_.compiler_fuses_later);
  }

  Decision<Region> Finish() {
    const NodeSet seed_results = seed_.members();
    const TrimmedRegion trimmed = Trim(seed_results);
    NoteTransposed(trimmed.transposed);
    if (trimmed.members.size() != members_.size()) {
      if (Decision<void> ok = TranslateAgain(trimmed, seed_results); !ok) return Refuse(ok.error());
    }
    return Emit(trimmed, seed_results);
  }

  // Builds the program again for the remaining members.
  Decision<void> TranslateAgain(const TrimmedRegion& trimmed, const NodeSet& seed_results) {
    Reset();
    for (Node member : trimmed.members) {
      if (seed_results.Contains(member)) continue;
      if (Decision<void> ok = translator_->TranslateUnit(member); !ok) {
        return Refuse<ReasonId::kLostRowForm>(graph_.at(member).name, ok.error().text);
      }
    }
    return {};
  }

  Decision<Region> Emit(const TrimmedRegion& trimmed, const NodeSet& seed_results) const {
    Region region;
    region.seeds = seed_.sites();
    region.extent = seed_.extent();
    region.ends = ends_;
    region.kept_because = LayoutProblem(trimmed, seed_results);
    if (region.kept_because) return region;
    auto kept = trimmed.also_kept.begin();  // in the order of members
    region.members.reserve(trimmed.members.size());
    for (Node member : trimmed.members) {
      if (kept != trimmed.also_kept.end() && *kept == member) {
        ++kept;
        continue;
      }
      region.members.push_back(member);
      if (!seed_results.Contains(member)) region.absorbed_instructions += InstructionCount(graph_, member);
    }
    Decision<std::vector<Output>> outputs = EmitOutputs(trimmed, seed_results, &region);
    if (!outputs) return Refuse(outputs.error());
    NoteCollectives(&region);
    ProgramBuilder::Finished finished = translator_->builder().Finish(*outputs);
    if (!Exchanges(finished.program)) return Refuse<ReasonId::kExchangesNothing>();
    const Decision<const std::string*> text = options_.programs->TextOf(finished.program);
    if (!text) return Refuse(text.error());
    region.program = std::move(finished.program);
    region.program_text = **text;
    region.operands.reserve(finished.kept_inputs.size());
    for (int input : finished.kept_inputs) region.operands.push_back(translator_->operands()[input]);
    return region;
  }

  // An all-reduce with another layout is accepted if it has no outside users in that layout and its operand can be read
  // row by row. If one exchange carries several values, another layout costs a copy but no exchange.
  std::optional<Reason> LayoutProblem(const TrimmedRegion& trimmed, const NodeSet& seed_results) const {
    if (seed_.sites().size() > 1) return std::nullopt;
    const std::vector<Input>& inputs = translator_->builder().program().inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const hlo::Shape& shape = *graph_.at(translator_->operands()[i].node).shape;
      if (IsCombined(inputs[i].role) && !shape.IsRowMajor()) return MakeReason<ReasonId::kLayout>(shape.ToString());
    }
    for (Node node : trimmed.outputs) {
      const hlo::Shape& shape = *graph_.at(node).shape;
      if (seed_results.Contains(node) && !shape.IsRowMajor()) return MakeReason<ReasonId::kLayout>(shape.ToString());
    }
    return std::nullopt;
  }

  // All operands of a norm of shards may turn out to be replicated, so that nothing is left to exchange.
  static bool Exchanges(const RowProgram& program) {
    return std::any_of(program.inputs.begin(), program.inputs.end(),
                       [](const Input& input) { return IsCombined(input.role) || input.role == Role::kGather; });
  }

  // Instructions that return the same value in the same shape (e.g. two all-gathers of one value) share an output.
  Decision<std::vector<Output>> EmitOutputs(const TrimmedRegion& trimmed, const NodeSet& seed_results,
                                            Region* region) const {
    std::vector<Output> outputs;
    std::map<std::tuple<int, Kind, bool, std::string_view>, int> known;
    for (Node node : trimmed.outputs) {
      const bool is_seed = seed_results.Contains(node);
      Decision<Output> output = translator_->ExportOf(node, is_seed ? LayoutRule::kAny : LayoutRule::kRowMajor);
      if (!output) return Refuse(output.error());
      const auto key = std::tuple(output->value, output->kind, output->shard, graph_.at(node).shape->bytes);
      const auto [found, is_new] = known.emplace(key, static_cast<int>(outputs.size()));
      if (is_new) outputs.push_back(*output);
      region->outputs.push_back(node);
      region->output_indices.push_back(found->second);
    }
    return outputs;
  }

  void NoteCollectives(Region* region) const {
    region->all_gathers = translator_->AllGathersOfOperands();
    for (Node member : region->members) {
      const Opcode opcode = graph_.at(member).opcode;
      if (opcode == Opcode::kAllGather) region->all_gathers.push_back(member);
      const auto is_seed = [&](const SiteRef& seed) { return sites_.site(seed.site).all_reduce == member; };
      if (opcode == Opcode::kAllReduce && std::none_of(region->seeds.begin(), region->seeds.end(), is_seed)) {
        region->inner_all_reduces.push_back(member);
      }
    }
  }

  const Graph& graph_;
  const SiteTable& sites_;
  const DependencyOrder& order_;
  const GrowOptions& options_;
  RegionSeed& seed_;
  const Site& site_;  // of the first all-reduce
  const int computation_;
  NodeSet kept_gathers_;
  std::unique_ptr<RowTranslator> translator_;
  NodeSet members_;                             // in insertion order: operands first
  std::vector<std::pair<int, Node>> frontier_;  // a heap: level, unit
  Node end_node_ = kNoNode;
  Reason ends_;
};

}  // namespace

Decision<Region> GrowRegion(const Graph& graph, const SiteTable& sites, const DependencyOrder& order, SiteRef seed,
                            const GrowOptions& options) {
  const Site& site = sites.site(seed.site);
  SumsSeed sums(graph, sites, order, options.overwritten, seed);
  Grower from_sums(graph, sites, order, options, &sums);
  if (site.reducer != Reducer::kSum) {
    const char* name = site.reducer == Reducer::kMax ? "maximum" : "minimum";
    return from_sums.Ungrown(MakeReason<ReasonId::kNoEpilogueForReducer>(name));
  }
  if (const auto source = FindShardSource(graph, site.all_reduce, site.group_size)) {
    ShardSeed shard(*source, sums.sites());
    if (auto norm = Grower(graph, sites, order, options, &shard).GrowNorm(*source)) return *std::move(norm);
  }
  return from_sums.Grow();
}

}  // namespace jax_oneshot
