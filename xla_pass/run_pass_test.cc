// SPDX-License-Identifier: Apache-2.0
// RunPass on modules dumped from XLA, whole and truncated. tests/test_pass_*.py test on HLO text which patterns are
// rewritten.
#include "xla_pass/run_pass.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/data/test_modules.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {
namespace {

PassOptions Options() {
  PassOptions options;
  options.max_bytes.fill(1 << 20);
  options.timeout_ms = 1000;
  return options;
}

int CountOpcode(const hlo::Module& module, hlo::Opcode opcode) {
  int count = 0;
  for (const hlo::Computation& computation : module.computations) {
    for (const hlo::Instruction& instruction : computation.instructions) count += instruction.opcode == opcode ? 1 : 0;
  }
  return count;
}

TEST(RunPass, WritesModulesThatReadBackAndGivesEveryAllReduceOneVerdict) {
  for (const TestModule& test : AllTestModules()) {
    const Result<PassResult> result = RunPass(test.bytes, Options());
    ASSERT_TRUE(result) << test.name << ": " << result.error();
    ASSERT_TRUE(result->module) << test.name;
    const Result<hlo::Module> before = hlo::ParseModule(test.bytes);
    const Result<hlo::Module> after = hlo::ParseModule(*result->module);
    ASSERT_TRUE(before && after) << test.name << ": " << after.error();
    int kept = 0;
    for (const Verdict& verdict : result->report.all_reduces) {
      EXPECT_FALSE(verdict.reason.text.empty()) << test.name << " " << verdict.name;
      kept += verdict.kind == VerdictKind::kKept ? 1 : 0;
    }
    EXPECT_EQ(static_cast<int>(result->report.all_reduces.size()), CountOpcode(*before, hlo::Opcode::kAllReduce));
    EXPECT_EQ(kept, CountOpcode(*after, hlo::Opcode::kAllReduce)) << test.name;
  }
}

using Names = std::set<std::string>;

// The names of a computation's instructions, of custom-calls only or of all.
Names NamesIn(const hlo::Module& module, const std::string& computation, bool only_calls) {
  Names names;
  for (const hlo::Computation& one : module.computations) {
    if (one.name != computation) continue;
    for (const hlo::Instruction& instruction : one.instructions) {
      if (!only_calls || instruction.opcode == hlo::Opcode::kCustomCall) names.emplace(instruction.name);
    }
  }
  return names;
}

TEST(RunPass, ReportsEachCallByNamesThatTheModulesHave) {
  for (const TestModule& test : AllTestModules()) {
    const Result<PassResult> result = RunPass(test.bytes, Options());
    ASSERT_TRUE(result) << test.name << ": " << result.error();
    const Result<hlo::Module> before = hlo::ParseModule(test.bytes);
    const Result<hlo::Module> after = hlo::ParseModule(*result->module);
    Names moved;  // to the iteration before: in the rotated loop, the loop state's elements have these names
    for (const RotationVerdict& rotation : result->report.rotations) {
      moved.insert(rotation.moved.begin(), rotation.moved.end());
    }
    for (const Verdict& verdict : result->report.all_reduces) {
      ASSERT_EQ(verdict.call.has_value(), verdict.kind != VerdictKind::kKept) << test.name << " " << verdict.name;
      if (!verdict.call) continue;
      const CallReport& call = *verdict.call;
      EXPECT_EQ(std::count(call.all_reduces.begin(), call.all_reduces.end(), verdict.name), 1) << verdict.name;
      const Names in_before = NamesIn(*before, verdict.computation, /*only_calls=*/false);
      const Names in_after = NamesIn(*after, verdict.computation, /*only_calls=*/false);
      EXPECT_EQ(NamesIn(*after, verdict.computation, /*only_calls=*/true).count(call.name), 1U) << call.name;
      Names returned;
      for (const NamedValue& value : call.returns) returned.insert(value.name);
      for (const std::string& name : returned) EXPECT_EQ(in_after.count(name), 1U) << name;
      for (const std::string& name : call.replaces) {
        EXPECT_EQ(in_before.count(name), 1U) << test.name << " " << name;
        if (moved.count(name) != 0) continue;
        EXPECT_EQ(in_after.count(name), returned.count(name)) << test.name << " " << name;
      }
    }
  }
}

TEST(RunPass, ChangesNothingWhenAskedToKeepEverything) {
  PassOptions options = Options();
  options.keep_all = MakeReason<ReasonId::kModuleExcluded>();
  for (const TestModule& test : AllTestModules()) {
    const Result<PassResult> result = RunPass(test.bytes, options);
    ASSERT_TRUE(result) << test.name << ": " << result.error();
    EXPECT_FALSE(result->module) << test.name;
    for (const Verdict& verdict : result->report.all_reduces) EXPECT_EQ(verdict.reason.id, options.keep_all->id);
  }
}

TEST(RunPass, PassesBytesWithoutAnAllReduceThroughUnread) {
  const Result<PassResult> result = RunPass("HloModule jit_f, entry_computation_layout={()->f32[]}", Options());
  ASSERT_TRUE(result) << result.error();
  EXPECT_FALSE(result->module);
}

TEST(RunPass, RefusesOrPassesEveryStrictPrefixOfWhatTheCompilersWrite) {
  for (const TestModule& test : AllTestModules()) {
    for (size_t size = 0; size < test.bytes.size(); ++size) {
      const std::vector<char> prefix(test.bytes.begin(), test.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const Result<PassResult> result = RunPass(std::string_view(prefix.data(), prefix.size()), Options());
      ASSERT_TRUE(result || !result.error().empty()) << test.name << " " << size;
    }
  }
}

TEST(RunPass, SaysWhatIsWrongWithACutModule) {
  const std::string bytes = ReadTestModule("notations").bytes;
  const Result<PassResult> result = RunPass(std::string_view(bytes).substr(0, bytes.size() - 1), Options());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().rfind("not a HloModuleProto: ", 0), 0u) << result.error();
}

}  // namespace
}  // namespace jax_oneshot
