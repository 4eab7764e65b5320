// SPDX-License-Identifier: Apache-2.0
// SpliceModule: only what an edit names changes; every other byte is kept.
#include "xla_pass/rewrite/splice.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/data/test_modules.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using hlo::TestComputation;
using hlo::TestInstruction;
using hlo::TestParameter;

TestComputation Negate(int64_t id, const std::string& name) {
  TestInstruction negate;
  negate.id = 2;
  negate.name = "out";
  negate.opcode = "negate";
  negate.operands = {1};
  return {id, name, {TestParameter(1, 0), negate}, 2};
}

// An edit that changes nothing.
ComputationEdit Identity(const hlo::Computation& computation) {
  ComputationEdit edit;
  edit.computation = computation.index;
  for (const hlo::Instruction& instruction : computation.instructions) edit.instructions.push_back(instruction.bytes);
  return edit;
}

TEST(SpliceModule, GivesTheSameBytesWhenEveryEditIsTheIdentity) {
  for (const TestModule& test : AllTestModules()) {
    const Result<hlo::Module> module = hlo::ParseModule(test.bytes);
    ASSERT_TRUE(module) << test.name << ": " << module.error();
    std::vector<ComputationEdit> edits;
    for (const hlo::Computation& computation : module->computations) edits.push_back(Identity(computation));
    EXPECT_EQ(SpliceModule(*module, edits, {}), test.bytes) << test.name;
    EXPECT_EQ(SpliceModule(*module, {}, {}), test.bytes) << test.name;
  }
}

TEST(SpliceModule, ReplacesTheInstructionsOfOneComputationOnly) {
  const std::string unknown = wire::Writer().Bytes(999, "kept").Take();
  const std::string before = hlo::BuildTestModule({Negate(1, "a"), Negate(2, "b")}, 2) + unknown;
  TestComputation changed = Negate(2, "b");
  changed.instructions.insert(changed.instructions.begin() + 1, TestParameter(3, 1));
  const Result<hlo::Module> module = hlo::ParseModule(before);
  ASSERT_TRUE(module) << module.error();
  ComputationEdit edit = Identity(module->computations[1]);
  const std::string added = changed.instructions[1].Encode();
  edit.instructions.insert(edit.instructions.begin() + 1, added);
  EXPECT_EQ(SpliceModule(*module, {edit}, {}), hlo::BuildTestModule({Negate(1, "a"), changed}, 2) + unknown);
}

TEST(SpliceModule, LeavesOutARemovedComputation) {
  const std::string before = hlo::BuildTestModule({Negate(1, "a"), Negate(2, "b")}, 2);
  const Result<hlo::Module> module = hlo::ParseModule(before);
  ASSERT_TRUE(module) << module.error();
  EXPECT_EQ(SpliceModule(*module, {}, {0}), hlo::BuildTestModule({Negate(2, "b")}, 2));
}

TEST(SpliceModule, CountsComputationsAsTheParserDoes) {
  const std::string no_message = wire::Writer().Integer(3, 7).Take();  // field number of `computations`, but an integer
  const std::string before = no_message + hlo::BuildTestModule({Negate(1, "a"), Negate(2, "b")}, 2);
  const Result<hlo::Module> module = hlo::ParseModule(before);
  ASSERT_TRUE(module) << module.error();
  EXPECT_EQ(SpliceModule(*module, {Identity(module->computations[1])}, {}), before);
  EXPECT_EQ(SpliceModule(*module, {}, {0}), no_message + hlo::BuildTestModule({Negate(2, "b")}, 2));
}

}  // namespace
}  // namespace jax_oneshot
