// SPDX-License-Identifier: Apache-2.0
// Binds run_pass(bytes, options), which returns the new bytes or None and the report as a dict, and module_header.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "python/native/bindings.h"
#include "xla_pass/hlo_view/module_header.h"
#include "xla_pass/pass_options.h"
#include "xla_pass/pass_report.h"
#include "xla_pass/run_pass.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;

struct PassRun {
  nb::object module;
  nb::dict report;
};

Result<Platform> ParsePlatform(std::string_view name) {
  if (name == "cpu") return Platform::kCpu;
  if (name == "cuda") return Platform::kCuda;
  return Err("run_pass: platform is '" + std::string(name) + "'; expected 'cpu' or 'cuda'");
}

// The wire reader does not check that names are valid UTF-8; an invalid byte must not fail the whole report.
nb::object Text(std::string_view text) {
  return nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

const char* VerdictName(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kKept:
      return "kept";
    case VerdictKind::kPlain:
      return "plain";
    case VerdictKind::kFused:
      return "fused";
  }
  return "";
}

const char* KindName(ReasonKind kind) {
  switch (kind) {
    case ReasonKind::kKept:
      return "kept";
    case ReasonKind::kEnds:
      return "ends";
    case ReasonKind::kStops:
      return "stops";
    case ReasonKind::kNotRotated:
      return "not_rotated";
    case ReasonKind::kInternal:
      return "internal";
  }
  return "";
}

nb::list Reasons() {
  nb::list out;
  for (size_t i = 0; i < std::size(kReasonTable); ++i) {
    const ReasonEntry& entry = kReasonTable[i];
    nb::dict one;
    one["id"] = NameOf(static_cast<ReasonId>(i));
    one["kind"] = KindName(entry.kind);
    one["format"] = Text(entry.format);
    one["meaning"] = Text(entry.meaning);
    one["advice"] = Text(entry.advice);
    out.append(one);
  }
  return out;
}

// `detail` fills the hole of a reason that has one.
Result<Reason> NamedReason(std::string_view id, const std::string& detail) {
  const std::optional<ReasonId> found = FindReason(id);
  if (!found) return Err("run_pass: keep_all_reason is '" + std::string(id) + "'; expected the id of a reason");
  const auto values = detail.empty() ? std::vector<std::string>() : std::vector<std::string>{detail};
  std::optional<Reason> reason = MakeReason(*found, values);
  if (!reason) return Err("run_pass: keep_all_detail does not fit reason '" + std::string(id) + "'");
  return *std::move(reason);
}

nb::list ToList(const std::vector<std::string>& texts) {
  nb::list out;
  for (const std::string& text : texts) out.append(Text(text));
  return out;
}

nb::list ToList(const std::vector<NamedValue>& values) {
  nb::list out;
  for (const NamedValue& value : values) {
    nb::dict one;
    one["name"] = Text(value.name);
    one["shape"] = Text(value.shape);
    out.append(one);
  }
  return out;
}

nb::dict ToDict(const CallReport& call) {
  nb::list returns = ToList(call.returns);
  for (size_t i = 0; i < call.outputs.size(); ++i) nb::cast<nb::dict>(returns[i])["output"] = call.outputs[i];
  nb::dict out;
  out["name"] = Text(call.name);
  out["reads"] = ToList(call.reads);
  out["returns"] = returns;
  out["all_reduces"] = ToList(call.all_reduces);
  out["replaces"] = ToList(call.replaces);
  out["fused_computations"] = ToList(call.fused_computations);
  return out;
}

nb::dict ToDict(const Verdict& verdict) {
  nb::dict absorbed;
  absorbed["instructions"] = verdict.absorbed_instructions;
  absorbed["all_reduces"] = verdict.absorbed_all_reduces;
  absorbed["all_gathers"] = verdict.absorbed_all_gathers;
  nb::dict out;
  out["name"] = Text(verdict.name);
  out["computation"] = Text(verdict.computation);
  out["shape"] = Text(verdict.shape);
  out["verdict"] = VerdictName(verdict.kind);
  out["reason"] = Text(verdict.reason.text);
  out["reason_id"] = NameOf(verdict.reason.id);
  out["stop_id"] = verdict.reason.stop ? NameOf(*verdict.reason.stop) : "";
  out["row_program"] = Text(verdict.row_program);
  out["in_loop"] = verdict.in_loop;
  out["group_size"] = verdict.group_size;
  out["bytes"] = verdict.bytes;
  out["absorbed"] = absorbed;
  out["outputs"] = verdict.outputs;
  out["rewrite"] = verdict.rewrite;
  out["ends_graph"] = verdict.ends_graph;
  out["kernel"] = Text(verdict.kernel);
  out["call"] = verdict.call ? nb::object(ToDict(*verdict.call)) : nb::none();
  return out;
}

// One limit for all groups, or one per group size.
using ByteLimit = std::variant<int64_t, std::vector<int64_t>>;

Result<void> SetLimits(const char* name, const ByteLimit& given, MessageLimits* limits) {
  if (const int64_t* one = std::get_if<int64_t>(&given)) {
    limits->fill(*one);
    return {};
  }
  const auto& by_group = std::get<std::vector<int64_t>>(given);
  if (by_group.size() != limits->size()) {
    return Err("run_pass: " + std::string(name) + " has " + std::to_string(by_group.size()) +
               " limits; expected one, or " + std::to_string(limits->size()) + ", by group size from 0 on");
  }
  std::copy(by_group.begin(), by_group.end(), limits->begin());
  return {};
}

nb::dict ToDict(const MadeCall& call) {
  nb::dict out;
  out["row_program"] = Text(call.row_program);
  out["rows"] = call.rows;
  out["width"] = call.width;
  out["group_size"] = call.group_size;
  out["algorithm"] = Text(AlgorithmName(call.algorithm));
  return out;
}

nb::dict ToDict(const LoopCount& loop) {
  nb::dict out;
  out["computation"] = Text(loop.computation);
  out["collectives_before"] = loop.collectives_before;
  out["collectives_after"] = loop.collectives_after;
  return out;
}

nb::dict ToDict(const RotationVerdict& rotation) {
  nb::dict out;
  out["loop"] = Text(rotation.loop);
  out["computation"] = Text(rotation.computation);
  out["rotated"] = !rotation.reason;
  out["reason"] = Text(rotation.reason ? rotation.reason->text : "");
  out["reason_id"] = rotation.reason ? NameOf(rotation.reason->id) : "";
  out["all_reduce"] = Text(rotation.all_reduce);
  out["moved"] = ToList(rotation.moved);
  out["carried"] = ToList(rotation.carried);
  out["rewrite"] = rotation.rewrite;
  return out;
}

nb::dict ToDict(const PassReport& report) {
  nb::list all_reduces;
  for (const Verdict& verdict : report.all_reduces) all_reduces.append(ToDict(verdict));
  nb::list calls;
  for (const MadeCall& call : report.calls) calls.append(ToDict(call));
  nb::list loops;
  for (const LoopCount& loop : report.loops) loops.append(ToDict(loop));
  nb::list rotations;
  for (const RotationVerdict& rotation : report.rotations) rotations.append(ToDict(rotation));
  nb::dict out;
  out["module"] = Text(report.module);
  out["num_partitions"] = report.num_partitions;
  out["num_replicas"] = report.num_replicas;
  out["instructions"] = report.instructions;
  out["all_reduces"] = all_reduces;
  out["calls"] = calls;
  out["collectives_before"] = report.collectives_before;
  out["collectives_after"] = report.collectives_after;
  out["loops"] = loops;
  out["rotations"] = rotations;
  out["rewrites"] = report.rewrites;
  out["steps"] = report.steps;
  out["calls_per_graph"] = report.calls_per_graph;
  out["why_calls_per_graph"] = Text(report.why_calls_per_graph);
  return out;
}

PassRun Run(const nb::bytes& module, std::string_view platform, const ByteLimit& max_bytes, int64_t timeout_ms,
            bool single_process, std::string_view keep_all_reason, const std::string& keep_all_detail,
            int64_t max_rewrites, int64_t max_steps, const ByteLimit& two_shot_from,
            std::pair<int64_t, int64_t> combine, int64_t calls_per_graph) {
  Result<Platform> parsed = ParsePlatform(platform);
  if (!parsed) throw ToValueError(parsed.error());
  PassOptions options;
  options.platform = *parsed;
  Result<void> set = SetLimits("max_bytes", max_bytes, &options.max_bytes);
  if (set) set = SetLimits("two_shot_from", two_shot_from, &options.two_shot_from);
  if (!set) throw ToValueError(set.error());
  options.timeout_ms = timeout_ms;
  options.single_process = single_process;
  if (!keep_all_reason.empty()) {
    Result<Reason> reason = NamedReason(keep_all_reason, keep_all_detail);
    if (!reason) throw ToValueError(reason.error());
    options.keep_all = *std::move(reason);
  }
  options.max_rewrites = max_rewrites;
  options.combine = {combine.first, combine.second};
  options.max_steps = max_steps;
  options.calls_per_graph = calls_per_graph;

  const std::string_view bytes(module.c_str(), module.size());  // the caller keeps them alive during the call
  Result<PassResult> result = [&] {
    nb::gil_scoped_release unlocked;
    return RunPass(bytes, options);
  }();
  if (!result) throw ToValueError(result.error());
  nb::object rewritten = nb::none();
  if (result->module) rewritten = nb::bytes(result->module->data(), result->module->size());
  return {std::move(rewritten), ToDict(result->report)};
}

nb::tuple ReadHeader(const nb::bytes& module) {
  const Result<hlo::ModuleHeader> header = hlo::ReadModuleHeader(std::string_view(module.c_str(), module.size()));
  if (!header) throw ToValueError(header.error());
  return nb::make_tuple(Text(header->name), header->device_ids);
}

}  // namespace

void BindPass(nb::module_& module) {
  nb::class_<PassRun>(module, "PassRun", "What the pass did to one module.")
      .def_ro("module", &PassRun::module, "The rewritten HloModuleProto, or None: unchanged.")
      .def_ro("report", &PassRun::report, "The fields of PassReport in xla_pass/run_pass.h.");
  module.def("run_pass", &Run, nb::arg("module"), nb::kw_only(), nb::arg("platform"), nb::arg("max_bytes"),
             nb::arg("timeout_ms"), nb::arg("single_process"), nb::arg("keep_all_reason") = "",
             nb::arg("keep_all_detail") = "", nb::arg("max_rewrites") = -1, nb::arg("max_steps") = 0,
             nb::arg("two_shot_from") = NoMessage()[0], nb::arg("combine") = std::pair<int64_t, int64_t>(0, 0),
             nb::arg("calls_per_graph") = 0,
             "Runs the pass on a serialized HloModuleProto, without the GIL. ValueError: it is none, or a bug.");
  module.def("reasons", &Reasons, "Every reason: its id, kind, format, meaning and advice. See reason_table.inc.");
  module.def("module_header", &ReadHeader, nb::arg("module"),
             "Name and device ids of a serialized HloModuleProto. ValueError: it is none.");
}

}  // namespace jax_oneshot
