// SPDX-License-Identifier: Apache-2.0
// Implementation of run_pass.h.
#include "xla_pass/run_pass.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "xla_pass/combiner/count_collectives.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/plain_pass.h"
#include "xla_pass/rotate/made_region.h"
#include "xla_pass/rotate/rotate_where_it_gains.h"
#include "xla_pass/sums/prepare_sums.h"

namespace jax_oneshot {
namespace {

template <typename Do>
void ForEachLoop(const hlo::Module& module, PassReport* report, Do do_with) {
  for (LoopCount& loop : report->loops) {
    for (const hlo::Computation& computation : module.computations) {
      if (computation.name == loop.computation) do_with(computation, &loop);
    }
  }
}

// The counts before the pass: it may have run on another module, made from this one.
void CountOriginal(const hlo::Module& module, PassReport* report) {
  report->instructions = module.InstructionCount();
  report->collectives_before = CountCollectives(module);
  ForEachLoop(module, report, [](const hlo::Computation& computation, LoopCount* loop) {
    loop->collectives_before = CountCollectives(computation);
  });
}

void UseOldNames(const Rotation& rotation, CallReport* call) {
  for (std::vector<std::string>* names : {&call->all_reduces, &call->replaces}) {
    for (std::string& name : *names) {
      const auto old = rotation.old_names.find(name);
      if (old != rotation.old_names.end()) name = old->second;
    }
  }
}

// Makes the verdicts of a module with rotated loops use the names of the original module.
void UseOldNames(const Rotations& rotations, PassReport* report) {
  for (const Rotation& rotation : rotations.loops) {
    auto& verdicts = report->all_reduces;
    const auto is_first_round = [&](const Verdict& verdict) { return rotation.first_round.count(verdict.name) != 0; };
    verdicts.erase(std::remove_if(verdicts.begin(), verdicts.end(), is_first_round), verdicts.end());
    for (Verdict& verdict : verdicts) {
      const auto old = rotation.old_names.find(verdict.name);
      if (old != rotation.old_names.end()) verdict.name = old->second;
      if (verdict.call) UseOldNames(rotation, &*verdict.call);
    }
  }
}

void ReportRotations(const Rotations& rotations, PassReport* report) {
  for (const Rotation& rotation : rotations.loops) {
    RotationVerdict verdict = {rotation.loop,       rotation.computation, rotation.reason,
                               rotation.all_reduce, rotation.moved,       rotation.carried};
    for (const Verdict& sum : report->all_reduces) {
      const bool is_its = sum.name == rotation.all_reduce && sum.computation == rotation.computation;
      if (!rotation.reason && is_its) verdict.rewrite = sum.rewrite;
    }
    report->rotations.push_back(std::move(verdict));
  }
}

// Rotates loops where that pays off, else runs on the module as it is.
Result<PassResult> RunWithRotations(const hlo::Module& module, const PassOptions& options) {
  std::string bytes;
  std::optional<PassResult> last;
  const auto run_on = [&](std::string rotated) -> Result<std::vector<MadeRegion>> {
    bytes = std::move(rotated);
    Result<hlo::Module> parsed = hlo::ParseModule(bytes);
    if (!parsed) return Err(parsed.error());
    std::vector<MadeRegion> made;
    Result<PassResult> result = RunPlainPass(*parsed, options, &made);
    if (!result) return Err(result.error());
    last = *std::move(result);
    return made;
  };
  const bool after_copy_insertion = options.platform == Platform::kCpu;
  // With devices in several processes, all all-reduces are kept anyway.
  if (after_copy_insertion && !options.single_process) return RunPlainPass(module, options);
  const Rotations rotations = RotateWhereItGains(module, after_copy_insertion, run_on);
  if (!rotations.any_made) {
    Result<PassResult> result = RunPlainPass(module, options);
    if (result) ReportRotations(rotations, &result->report);
    return result;
  }
  UseOldNames(rotations, &last->report);
  ReportRotations(rotations, &last->report);
  return *std::move(last);
}

// The verdict of an all-reduce that was removed before any decision: that of the one that replaced it.
Verdict VerdictOfGone(const GoneSum& gone, const std::vector<Verdict>& others) {
  const auto into =
      std::find_if(others.begin(), others.end(), [&](const Verdict& verdict) { return verdict.name == gone.into; });
  Verdict verdict;
  if (into != others.end()) {
    verdict.kind = into->kind;
    verdict.row_program = into->row_program;
    verdict.outputs = into->outputs;
    verdict.rewrite = into->rewrite;
    verdict.call = into->call;
  }
  verdict.name = gone.name;
  verdict.computation = gone.computation;
  verdict.shape = gone.shape;
  verdict.reason = gone.why;
  verdict.in_loop = gone.in_loop;
  verdict.group_size = gone.group_size;
  verdict.bytes = gone.bytes;
  return verdict;
}

// The counts after the pass where it keeps the module.
void CountWhatIsKept(const hlo::Module& module, const CombineLimits& limits, PassReport* report) {
  const Graph graph(module);
  report->collectives_after = CountCombined(module, limits);
  ForEachLoop(module, report, [&](const hlo::Computation& computation, LoopCount* loop) {
    loop->collectives_after = CountCombined(graph, computation.index, limits);
  });
}

// If nothing is rewritten in the prepared module, the original is kept.
Result<PassResult> RunOnPrepared(const hlo::Module& module, const PreparedModule& prepared,
                                 const PassOptions& options) {
  const Result<hlo::Module> parsed = hlo::ParseModule(prepared.bytes);
  if (!parsed) return Err(parsed.error());
  Result<PassResult> result = RunWithRotations(*parsed, options);
  if (!result) return result;
  PassReport& report = result->report;
  if (!result->module) CountWhatIsKept(module, CombinedAfterPass(options), &report);
  // Last first: the all-reduce that replaced one may have been removed later itself.
  for (auto gone = prepared.gone.rbegin(); gone != prepared.gone.rend(); ++gone) {
    report.all_reduces.push_back(VerdictOfGone(*gone, report.all_reduces));
  }
  return result;
}

// True if no more is left with the sums prepared than XLA leaves without the pass: a sum that has sunk may depend on
// one that XLA would have combined it with. Decided for all rewrites, so that JAX_ONESHOT_LIMIT numbers the same ones
// whatever its value.
Result<bool> IsWorthPreparing(const hlo::Module& module, const PreparedModule& prepared, const PassResult& result,
                              const PassOptions& options) {
  int64_t left = result.report.collectives_after;
  if (options.max_rewrites >= 0) {
    PassOptions all = options;
    all.max_rewrites = -1;
    const Result<PassResult> unlimited = RunOnPrepared(module, prepared, all);
    if (!unlimited) return Err(unlimited.error());
    left = unlimited->report.collectives_after;
  }
  return left <= CountCombined(module, CombinedAfterPass(options));
}

Result<PassResult> RunOnModule(const hlo::Module& module, const PassOptions& options) {
  const bool leaves_all = options.keep_all.has_value() || options.max_rewrites == 0 || module.has_schedule;
  if (leaves_all) return RunPlainPass(module, options);
  const Result<PreparedModule> prepared = PrepareSums(module, options.platform == Platform::kCuda);
  if (!prepared) return Err(prepared.error());
  if (prepared->bytes.empty()) return RunWithRotations(module, options);
  Result<PassResult> result = RunOnPrepared(module, *prepared, options);
  if (!result) return result;
  const Result<bool> is_worth_it = IsWorthPreparing(module, *prepared, *result, options);
  if (!is_worth_it) return Err(is_worth_it.error());
  if (!*is_worth_it) return RunWithRotations(module, options);
  return result;
}

}  // namespace

Result<PassResult> RunPass(std::string_view module_bytes, const PassOptions& options) {
  // Most modules of a process are tiny and contain no all-reduce: check before parsing.
  if (!hlo::MayContainOpcode(module_bytes, "all-reduce") && !hlo::MayContainOpcode(module_bytes, "all-reduce-start")) {
    return PassResult{};
  }
  Result<hlo::Module> module = hlo::ParseModule(module_bytes);
  if (!module) return Err(module.error());
  Result<PassResult> result = RunOnModule(*module, options);
  if (result) CountOriginal(*module, &result->report);
  return result;
}

}  // namespace jax_oneshot
