// SPDX-License-Identifier: Apache-2.0
// RunPass on modules dumped from XLA, whole and truncated. tests/test_pass_*.py test on HLO text which patterns are
// rewritten.
#include "xla_pass/run_pass.h"

#include <gtest/gtest.h>

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
