// SPDX-License-Identifier: Apache-2.0
// ParseModule and the accessors of Instruction, on hand-written modules and on modules dumped from XLA.
#include "xla_pass/hlo_view/hlo_view.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/data/test_modules.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;

TestInstruction Hand(int64_t id, const std::string& name, const std::string& opcode, std::vector<int64_t> operands) {
  TestInstruction instruction;
  instruction.id = id;
  instruction.name = name;
  instruction.opcode = opcode;
  instruction.operands = std::move(operands);
  return instruction;
}

// %add (p0, p1) { ROOT sum }; ENTRY main (p0) { ar = all-reduce(p0), to_apply=add; ROOT out = negate(ar) }
std::vector<TestComputation> AllReduceModule() {
  TestComputation add{1, "add", {TestParameter(10, 0), TestParameter(11, 1), Hand(12, "sum", "add", {10, 11})}, 12};
  TestComputation main{2, "main", {TestParameter(20, 0), Hand(21, "ar", "all-reduce", {20})}, 22};
  main.instructions[1].called_computations = {1};
  main.instructions.push_back(Hand(22, "out", "negate", {21}));
  return {add, main};
}

std::string ErrorOf(const std::string& bytes) {
  const Result<Module> module = ParseModule(bytes);
  return module ? "parsed" : module.error();
}

std::string ErrorOf(const std::vector<TestComputation>& computations) {
  return ErrorOf(BuildTestModule(computations, 2));
}

std::vector<int> ToVector(Span<int> span) { return {span.begin(), span.end()}; }

TEST(ParseModule, ResolvesEveryReference) {
  const std::string bytes = BuildTestModule(AllReduceModule(), 2);
  const Result<Module> module = ParseModule(bytes);
  ASSERT_TRUE(module) << module.error();
  EXPECT_EQ(module->name, "hand");
  EXPECT_EQ(module->entry, 1);
  EXPECT_EQ(module->InstructionCount(), 6);
  EXPECT_EQ(module->max_instruction_id, 22);
  EXPECT_FALSE(module->has_schedule);
  const Computation& main = module->computations[1];
  EXPECT_EQ(main.name, "main");
  EXPECT_EQ(main.root, 2);
  EXPECT_EQ(main.parameters, (std::vector<int>{0}));
  const Instruction& all_reduce = main.instructions[1];
  EXPECT_EQ(all_reduce.opcode, Opcode::kAllReduce);
  EXPECT_EQ(all_reduce.name, "ar");
  EXPECT_EQ(all_reduce.shape->ToString(), "f32[8]");
  EXPECT_EQ(ToVector(all_reduce.operands), (std::vector<int>{0}));
  EXPECT_EQ(ToVector(all_reduce.called_computations), (std::vector<int>{0}));
  EXPECT_EQ(ToVector(main.instructions[2].operands), (std::vector<int>{1}));
}

TEST(ParseModule, TakesTheSameIdsInTwoComputations) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[1].instructions[0].id = 10;
  computations[1].instructions[1].operands = {10};
  EXPECT_EQ(ErrorOf(computations), "parsed");
}

TEST(ParseModule, TakesIdsThatHoldTheirComputationsId) {
  const int64_t upper = int64_t{2} << 32;
  const TestComputation main{
      2, "main", {TestParameter(upper + 7, 0), Hand(upper + 3, "out", "negate", {upper + 7})}, upper + 3};
  const std::string bytes = BuildTestModule({main}, 2);
  const Result<Module> module = ParseModule(bytes);
  ASSERT_TRUE(module) << module.error();
  EXPECT_TRUE(module->HasIdsPerComputation());
  EXPECT_EQ(ToVector(module->computations[0].instructions[1].operands), (std::vector<int>{0}));
}

TEST(ParseModule, ReadsScheduleAndDeviceAssignment) {
  const std::string assignment = Writer()
                                     .Integer(fields::device_assignment::kReplicaCount, 2)
                                     .Integer(fields::device_assignment::kComputationCount, 4)
                                     .Take();
  const std::string bytes =
      BuildTestModule(AllReduceModule(), 2) + Writer()
                                                  .Bytes(fields::hlo_module::kSchedule, "\x0a\x00")
                                                  .Bytes(fields::hlo_module::kDeviceAssignment, assignment)
                                                  .str();
  const Result<Module> module = ParseModule(bytes);
  ASSERT_TRUE(module) << module.error();
  EXPECT_TRUE(module->has_schedule);
  EXPECT_EQ(module->replica_count, 2);
  EXPECT_EQ(module->partition_count, 4);
}

TEST(ParseModule, RefusesAnOperandThatDoesNotExist) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[1].instructions[2].operands = {12};  // is in %add
  EXPECT_EQ(ErrorOf(computations),
            "malformed HloModuleProto: computation %main: instruction %out: operand id 12 names nothing");
}

TEST(ParseModule, RefusesAnOperandThatComesAfterItsUser) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[1].instructions[1].operands = {22};
  EXPECT_EQ(ErrorOf(computations),
            "malformed HloModuleProto: computation %main: instruction %ar: operand id 22 comes after its user");
  computations[1].instructions[1].operands = {21};  // itself
  EXPECT_EQ(ErrorOf(computations),
            "malformed HloModuleProto: computation %main: instruction %ar: operand id 21 comes after its user");
}

TEST(ParseModule, RefusesAControlPredecessorThatDoesNotExistButTakesOneThatDoes) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[1].instructions[2].control_predecessors = {20};
  EXPECT_EQ(ErrorOf(computations), "parsed");
  computations[1].instructions[2].control_predecessors = {99};
  EXPECT_EQ(ErrorOf(computations),
            "malformed HloModuleProto: computation %main: instruction %out: control predecessor id 99 names nothing");
}

TEST(ParseModule, RefusesACallOfItsOwnComputation) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[1].instructions[1].called_computations = {2};
  EXPECT_EQ(
      ErrorOf(computations),
      "malformed HloModuleProto: computation %main: instruction %ar: called computation id 2 comes after its user");
}

TEST(ParseModule, RefusesTwoThingsWithOneId) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[1].instructions[2].id = 21;
  EXPECT_EQ(ErrorOf(computations), "malformed HloModuleProto: computation %main: two instructions have one id");
  computations = AllReduceModule();
  computations[0].id = 2;
  EXPECT_EQ(ErrorOf(computations), "malformed HloModuleProto: two computations have one id");
}

TEST(ParseModule, RefusesARootOrAnEntryThatDoesNotExist) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[0].root_id = 13;
  EXPECT_EQ(ErrorOf(computations), "malformed HloModuleProto: computation %add: root id 13 names nothing");
  EXPECT_EQ(ErrorOf(BuildTestModule(AllReduceModule(), 3)),
            "malformed HloModuleProto: entry computation id 3 names nothing");
}

TEST(ParseModule, RefusesParametersThatAreNotNumberedThrough) {
  std::vector<TestComputation> computations = AllReduceModule();
  computations[0].instructions[1] = TestParameter(11, 0);
  EXPECT_EQ(ErrorOf(computations), "malformed HloModuleProto: computation %add: parameter 0 occurs twice");
  computations[0].instructions[1] = TestParameter(11, 2);
  EXPECT_EQ(ErrorOf(computations), "malformed HloModuleProto: computation %add: a parameter is missing");
  computations[0].instructions[1] = TestParameter(11, int64_t{1} << 40);
  EXPECT_EQ(ErrorOf(computations),
            "malformed HloModuleProto: computation %add: parameter number 1099511627776 of %p1099511627776 is out of "
            "range");
  computations[0].instructions[1] = TestParameter(11, -1);
  EXPECT_EQ(ErrorOf(computations),
            "malformed HloModuleProto: computation %add: parameter number -1 of %p-1 is out of range");
}

TEST(ParseModule, RefusesBytesThatAreNoModule) {
  EXPECT_EQ(ErrorOf(std::string()), "not a HloModuleProto: it has no computations");
  EXPECT_EQ(ErrorOf("HloModule jit_f, entry_computation_layout={()->f32[]}"),
            "not a HloModuleProto: unknown wire type at byte 2 of a message");
}

TEST(ParseModule, ParsesWhatTheCompilersWrite) {
  for (const TestModule& test : AllTestModules()) {
    const Result<Module> module = ParseModule(test.bytes);
    ASSERT_TRUE(module) << test.name << ": " << module.error();
    EXPECT_TRUE(MayContainOpcode(test.bytes, "all-reduce")) << test.name;
    EXPECT_GT(module->InstructionCount(), 20) << test.name;
  }
}

TEST(ParseModule, RefusesOrParsesEveryStrictPrefixOfWhatTheCompilersWrite) {
  for (const TestModule& test : AllTestModules()) {
    for (size_t size = 0; size < test.bytes.size(); ++size) {
      const std::vector<char> prefix(test.bytes.begin(), test.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const Result<Module> module = ParseModule(std::string_view(prefix.data(), prefix.size()));
      EXPECT_TRUE(module || !module.error().empty());
    }
  }
}

TEST(MayContainOpcode, LooksForTheOpcodeAndNotForTheWord) {
  std::vector<TestComputation> computations = AllReduceModule();
  EXPECT_TRUE(MayContainOpcode(BuildTestModule(computations, 2), "all-reduce"));
  computations[1].instructions[1].name = "all-reduce";
  computations[1].instructions[1].opcode = "all-reduce-done";
  EXPECT_FALSE(MayContainOpcode(BuildTestModule(computations, 2), "all-reduce"));
  EXPECT_FALSE(MayContainOpcode("", "all-reduce"));
  EXPECT_FALSE(MayContainOpcode(std::string_view(), "all-reduce"));  // data() is null
}

// The first instruction with `opcode` in a committed module.
const Instruction* FindOpcode(const Module& module, Opcode opcode) {
  for (const Computation& computation : module.computations) {
    for (const Instruction& instruction : computation.instructions) {
      if (instruction.opcode == opcode) return &instruction;
    }
  }
  return nullptr;
}

TEST(Instruction, FindsWhatFewInstructionsHave) {
  const TestModule test = ReadTestModule("notations");
  const Result<Module> module = ParseModule(test.bytes);
  ASSERT_TRUE(module) << module.error();
  const Instruction* compare = FindOpcode(*module, Opcode::kCompare);
  ASSERT_NE(compare, nullptr);
  EXPECT_EQ(compare->comparison_direction(), "LT");
  EXPECT_TRUE(compare->is_total_order());  // integer comparisons have no other order
  EXPECT_EQ(compare->custom_call_target(), "");
  const Instruction* constant = FindOpcode(*module, Opcode::kConstant);
  ASSERT_NE(constant, nullptr);
  EXPECT_EQ(ScalarLiteral(*constant).value(), 1);
  EXPECT_EQ(IntegerLiteral(*constant).value(), (std::vector<int64_t>{1}));
  EXPECT_FALSE(ScalarLiteral(*compare));
}

TEST(DecodeWindow, ReadsAReduceWindowAsTheCompilerWritesIt) {
  const TestModule test = ReadTestModule("notations");
  const Result<Module> module = ParseModule(test.bytes);
  ASSERT_TRUE(module) << module.error();
  const Instruction* reduce_window = FindOpcode(*module, Opcode::kReduceWindow);
  ASSERT_NE(reduce_window, nullptr);
  const auto window = DecodeWindow(*reduce_window);
  ASSERT_TRUE(window) << window.error();
  ASSERT_EQ(window->size(), 2u);
  EXPECT_EQ((*window)[1].size, 3);
  EXPECT_EQ((*window)[1].padding_low, 1);
  EXPECT_EQ((*window)[1].base_dilation, 1);
}

}  // namespace
}  // namespace jax_oneshot::hlo
