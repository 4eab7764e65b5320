// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/rotate_loop.h"

#include "xla_pass/rotate/test_loop.h"

namespace jax_oneshot {
namespace {

class Rotated {
 public:
  explicit Rotated(const std::string& text) {
    const TestGraph test(text);
    const Decision<Loop> loop = ReadLoop(test.graph(), test["loop"]);
    EXPECT_TRUE(loop) << Refusal(loop);
    const MovedPart part = FindMovedPart(test.graph(), *loop, [](Node) { return true; });
    rotated_ = RotateLoop(test.graph(), *loop, part);
    module_ = hlo::ParseModule(rotated_.module);
    EXPECT_TRUE(module_) << Refusal(module_);
  }

  const RotatedLoop& loop() const { return rotated_; }
  const hlo::Computation& Computation(std::string_view name) const {
    for (const hlo::Computation& computation : module_->computations) {
      if (computation.name == name) return computation;
    }
    throw std::invalid_argument(std::string(name));
  }
  // "opcode(operands) shape" of an instruction.
  std::string Text(std::string_view computation_name, std::string_view name) const {
    const hlo::Computation& computation = Computation(computation_name);
    for (const hlo::Instruction& instruction : computation.instructions) {
      if (instruction.name != name) continue;
      std::string text = std::string(instruction.opcode_name) + "(";
      for (const int operand : instruction.operands) {
        text += (text.back() == '(' ? "" : ", ") + std::string(computation.instructions[operand].name);
      }
      return text + ") " + instruction.shape->ToString();
    }
    return "";
  }
  int Count(std::string_view computation, hlo::Opcode opcode) const {
    int count = 0;
    for (const hlo::Instruction& instruction : Computation(computation).instructions) {
      count += instruction.opcode == opcode ? 1 : 0;
    }
    return count;
  }
  const hlo::Module& module() const { return *module_; }

 private:
  RotatedLoop rotated_;
  Result<hlo::Module> module_ = Err("not parsed");
};

TEST(RotateLoop, ReadsTheValueFromTheStateAndComputesTheNextOneAtTheEnd) {
  const Rotated rotated(HandLoop());
  ASSERT_EQ(rotated.loop().values.size(), 1u);
  const std::string& next = rotated.loop().values[0];
  EXPECT_EQ(rotated.Text("body", "n"), "get-tuple-element(state) f32[8,64]");
  EXPECT_EQ(rotated.Text("body", "q"), "multiply(y, y) f32[8,64]");
  EXPECT_EQ(rotated.Text("body", "row"), "dynamic-slice(gammas, i1, origin) f32[1,64]");
  EXPECT_EQ(rotated.Text("body", next), "multiply(m, gb) f32[8,64]");
  EXPECT_EQ(rotated.Text("body", "next"),
            "tuple(i1, y, gammas, " + next + ") (s32[], f32[8,64], f32[3,64], f32[8,64])");
  EXPECT_EQ(rotated.Text("condition", "state"), "parameter() (s32[], f32[8,64], f32[3,64], f32[8,64])");
  EXPECT_EQ(rotated.Count("body", hlo::Opcode::kReduce), 1);
}

TEST(RotateLoop, ComputesTheFirstValueFromWhatTheLoopStartsFrom) {
  const Rotated rotated(HandLoop());
  const hlo::Computation& main = rotated.Computation("main");
  const hlo::Instruction* slice = nullptr;
  for (const hlo::Instruction& instruction : main.instructions) {
    if (instruction.opcode == hlo::Opcode::kDynamicSlice) slice = &instruction;
  }
  ASSERT_NE(slice, nullptr);
  EXPECT_EQ(main.instructions[slice->operands[0]].name, "g0");
  EXPECT_EQ(main.instructions[slice->operands[1]].name, "start");
  EXPECT_EQ(rotated.loop().first_round.count(std::string(slice->name)), 1u);
  EXPECT_EQ(rotated.Text("main", "first"), "") << "nobody reads the old state";
  EXPECT_EQ(rotated.Text("main", "out"), "get-tuple-element(loop) f32[8,64]");
}

TEST(RotateLoop, KeepsTheOldStateWhereOthersReadIt) {
  const Rotated rotated(HandLoop({{"ROOT out", "other = f32[8,64] get-tuple-element(first), index=1\nROOT out"}}));
  EXPECT_EQ(rotated.Text("main", "first"), "tuple(start, x0, g0) (s32[], f32[8,64], f32[3,64])");
}

TEST(RotateLoop, LeavesInPlaceWhatOthersReadAndComputesItAgain) {
  const Rotated rotated(HandLoop({{"y = f32[8,64] add(x, ar)", "y = f32[8,64] add(q, ar)"}}));
  EXPECT_EQ(rotated.Text("body", "q"), "multiply(x, x) f32[8,64]");
  EXPECT_EQ(rotated.loop().old_names.size(), 8u);
  EXPECT_EQ(rotated.Count("body", hlo::Opcode::kMultiply), 4);
}

TEST(RotateLoop, GivesACollectiveInFrontOfTheLoopAChannelOfItsOwn) {
  const Rotated rotated(HandLoop({{"sb = f32[8,64] broadcast(s)",
                                   "t = f32[8] all-reduce(s), replica_groups={{0,1}}, to_apply=add, channel_id=9\n"
                                   "sb = f32[8,64] broadcast(t)"}}));
  EXPECT_EQ(rotated.Count("body", hlo::Opcode::kAllReduce), 2);
  for (const hlo::Instruction& instruction : rotated.Computation("main").instructions) {
    if (instruction.opcode == hlo::Opcode::kAllReduce) {
      EXPECT_EQ(instruction.channel_id, 10);
    }
  }
  EXPECT_EQ(rotated.Count("main", hlo::Opcode::kAllReduce), 1);
}

TEST(RotateLoop, ReadsACopyOfNothingAsNoElement) {
  // An invalid module, which XLA would reject.
  const Rotated rotated(HandLoop({{"g = f32[64] reshape(row)", "g = f32[64] copy()"}}));
  EXPECT_EQ(rotated.Text("body", "g"), "copy() f32[64]");
}

TEST(RotateLoop, GivesFusionsInFrontOfTheLoopComputationsOfTheirOwn) {
  const std::string fused = std::string("fused { fp = f32[8,64] parameter(0)\nfz = f32[] constant(0)\n") +
                            "fs = f32[8] reduce(fp, fz), dimensions={1}, to_apply=add }\n  body {";
  const Rotated rotated(
      HandLoop({{"body {", fused},
                {"s = f32[8] reduce(q, zero), dimensions={1}, to_apply=add", "s = f32[8] fusion(q), calls=fused"}}));
  const Graph graph(rotated.module());
  int fusions = 0;
  for (Node node = 0; node < graph.size(); ++node) {
    if (graph.at(node).opcode != hlo::Opcode::kFusion) continue;
    ++fusions;
    EXPECT_GE(graph.fused_computation(node), 0);
  }
  EXPECT_EQ(fusions, 2);
}

}  // namespace
}  // namespace jax_oneshot
