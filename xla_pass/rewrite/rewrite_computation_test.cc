// SPDX-License-Identifier: Apache-2.0
// RewriteComputation: one call replaces a region; ids, names and everything else are kept.
#include "xla_pass/rewrite/rewrite_computation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ffi_kernels/call_attributes.h"
#include "xla_pass/graph/test_graph.h"
#include "xla_pass/rewrite/splice.h"

namespace jax_oneshot {
namespace {

// A module whose entry has %ar = f32[8,64] all-reduce(%d), a user %y, and these further instructions.
class Rewriting {
 public:
  explicit Rewriting(const std::string& more, const std::string& fused = "", const std::string& layout = "")
      : test_(kReducers + fused + R"(
          main { d = f32[8,64] parameter(0)
                 x = f32[8,64] parameter(1)
                 i = s32[] parameter(2)
                 ar = f32[8,64] all-reduce(d), channel_id=5, replica_groups={{0,1}}, use_global_device_ids=true,
                   to_apply=add
                 y = f32[8,64])" +
              layout + " add(ar, x) " + more + "}") {
    Site site;
    site.all_reduce = test_["ar"];
    site.groups = {hlo::GroupMode::kFlattenedId, {{0, 1}}};
    site.group_size = 2;
    site.elements.push_back({0, {test_["ar"]}, 8, 64, DType::kF32});
    region_.seeds = {{sites_.Add(site), 0}};
    region_.extent = {8, 64};
    region_.program_text = "PROGRAM";
    region_.members = {test_["ar"], test_["y"]};
    Read("d");
    Read("x");
    context_.next_instruction_id = 100;
    context_.timeout_ms = 1000;
  }

  void Read(const std::string& name) { region_.operands.push_back({test_[name], false, {test_[name]}}); }
  void ReadClone(const std::string& name, const std::vector<std::string>& leaves) {
    region_.operands.push_back({test_[name], true, {}});
    for (const std::string& leaf : leaves) region_.operands.back().leaves.push_back(test_[leaf]);
  }
  void Return(const std::string& name, int index) {
    region_.outputs.push_back(test_[name]);
    region_.output_indices.push_back(index);
    region_.program.outputs.resize(std::max<size_t>(region_.program.outputs.size(), static_cast<size_t>(index) + 1));
  }

  // "name id = opcode(operands)" of every instruction of the new entry computation, or the error.
  std::string Run() {
    rewritten_ = RewriteComputation(test_.graph(), test_.entry(), sites_, {region_}, &context_, &problem_);
    if (!rewritten_) return rewritten_.error();
    bytes_ = SpliceModule(test_.module(), {rewritten_->edit}, {});
    after_ = hlo::ParseModule(bytes_);
    if (!after_) return after_.error();
    std::string text;
    for (const hlo::Instruction& instruction : main().instructions) {
      if (instruction.opcode == hlo::Opcode::kParameter) continue;
      text += (text.empty() ? "" : "; ") + std::string(instruction.name) + " = " +
              std::string(instruction.opcode_name) + "(" + Operands(instruction) + ")";
    }
    return text;
  }

  const hlo::Computation& main() const { return after_->computations[static_cast<size_t>(test_.entry())]; }
  const hlo::Instruction& after(const std::string& name) const {
    const auto& all = main().instructions;
    return *std::find_if(all.begin(), all.end(), [&](const auto& instruction) { return instruction.name == name; });
  }
  const hlo::Instruction& before(const std::string& name) const { return test_.graph().at(test_[name]); }
  std::string Removed() const { return test_.Names(rewritten_->removed); }
  std::string Replaced() const { return test_.Names(rewritten_->replaced); }
  RewriteContext& context() { return context_; }

 private:
  std::string Operands(const hlo::Instruction& instruction) const {
    std::string text;
    for (int operand : instruction.operands) {
      text += (text.empty() ? "" : ", ") + std::string(main().instructions[static_cast<size_t>(operand)].name);
    }
    return text;
  }

  TestGraph test_;
  SiteTable sites_;
  Region region_;
  RewriteContext context_;
  RewriteProblem problem_;
  Result<RewrittenComputation> rewritten_ = Err("not run");
  std::string bytes_;
  Result<hlo::Module> after_ = Err("not run");
};

TEST(RewriteComputation, PutsACallUnderTheNameOfItsOnlyResult) {
  Rewriting rewriting("q = f32[8,8] dot(y, x)");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(), "y = custom-call(d, x); q = dot(y, x)");
  EXPECT_EQ(rewriting.after("y").id, rewriting.before("y").id);
  EXPECT_EQ(rewriting.after("y").custom_call_target(), kCallTarget);
  EXPECT_EQ(rewriting.after("q").bytes, rewriting.before("q").bytes) << "byte for byte";
  EXPECT_EQ(rewriting.Removed(), "ar y");
  EXPECT_NE(rewriting.after("y").bytes.find("program = \"PROGRAM\""), std::string::npos);
  EXPECT_NE(rewriting.after("y").bytes.find("channel_id = 5 : i64"), std::string::npos);
}

TEST(RewriteComputation, ReturnsSeveralResultsAsATuple) {
  Rewriting rewriting("q = f32[8,8] dot(y, ar)");
  rewriting.Return("y", 0);
  rewriting.Return("ar", 1);
  EXPECT_EQ(rewriting.Run(),
            "jax_oneshot.0 = custom-call(d, x); y = get-tuple-element(jax_oneshot.0); "
            "ar = get-tuple-element(jax_oneshot.0); q = dot(y, ar)");
  EXPECT_EQ(rewriting.after("ar").number, 1);
  EXPECT_EQ(rewriting.after("ar").id, rewriting.before("ar").id);
  EXPECT_EQ(rewriting.after("jax_oneshot.0").id, 100);
  EXPECT_EQ(rewriting.after("jax_oneshot.0").shape->ToString(), "(f32[8,64], f32[8,64])");
  EXPECT_EQ(rewriting.context().next_instruction_id, 101);
  EXPECT_EQ(rewriting.context().next_call, 1);
}

TEST(RewriteComputation, LetsEqualResultsShareAnElement) {
  Rewriting rewriting("q = f32[8,8] dot(y, ar)");
  rewriting.Return("y", 0);
  rewriting.Return("ar", 0);
  rewriting.Run();
  EXPECT_EQ(rewriting.after("jax_oneshot.0").shape->ToString(), "(f32[8,64])");
  EXPECT_EQ(rewriting.after("ar").number, 0);
}

TEST(RewriteComputation, PutsTheCallWhereItsOperandsAreReady) {
  Rewriting rewriting("late = f32[8,64] custom(x)  q = f32[8,8] dot(y, x)");
  rewriting.Read("late");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(), "late = custom(x); y = custom-call(d, x, late); q = dot(y, x)");
}

TEST(RewriteComputation, RefusesACycle) {
  Rewriting rewriting("late = f32[8,64] custom(y)  q = f32[8,8] dot(y, x)");
  rewriting.Read("late");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(), "the rewrite would make a cycle");
}

TEST(RewriteComputation, RefusesToLoseAValueThatIsStillRead) {
  Rewriting rewriting("q = f32[8,8] dot(y, ar)");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(), "%ar was removed but is still read");
}

TEST(RewriteComputation, HandsOnTheLogicalIdsOnCpu) {
  Rewriting rewriting("q = f32[8,8] dot(y, x)");
  rewriting.Return("y", 0);
  rewriting.context().pass_logical_ids = true;
  EXPECT_EQ(rewriting.Run(),
            "jax_oneshot_replica-id.0 = replica-id(); jax_oneshot_partition-id.1 = partition-id(); "
            "y = custom-call(d, x, jax_oneshot_replica-id.0, jax_oneshot_partition-id.1); q = dot(y, x)");
}

constexpr char kSlice[] = "s = f32[8,64] dynamic-slice(x, i, i)  ";

TEST(RewriteComputation, KeepsASliceApartFromTheCallOnGpu) {
  for (const bool apart : {false, true}) {
    Rewriting rewriting(std::string(kSlice) + "q = f32[8,8] dot(y, s)");
    rewriting.Read("s");
    rewriting.Return("y", 0);
    rewriting.context().keep_slices_apart = apart;
    EXPECT_EQ(rewriting.Run(), apart ? "s = dynamic-slice(x, i, i); jax_oneshot_operand.0 = opt-barrier(s); "
                                       "y = custom-call(d, x, jax_oneshot_operand.0); q = dot(y, s)"
                                     : "s = dynamic-slice(x, i, i); y = custom-call(d, x, s); q = dot(y, s)");
  }
}

TEST(RewriteComputation, KeepsAnUpdateApartFromTheCallOnGpu) {
  for (const bool apart : {false, true}) {
    Rewriting rewriting("u = f32[8,64] dynamic-update-slice(x, y, i, i)");
    rewriting.Return("y", 0);
    rewriting.context().keep_slices_apart = apart;
    EXPECT_EQ(rewriting.Run(), apart ? "jax_oneshot.0 = custom-call(d, x); "
                                       "jax_oneshot_result.1 = get-tuple-element(jax_oneshot.0); "
                                       "y = opt-barrier(jax_oneshot_result.1); u = dynamic-update-slice(x, y, i, i)"
                                     : "y = custom-call(d, x); u = dynamic-update-slice(x, y, i, i)");
  }
}

TEST(RewriteComputation, CopiesToAndFromOtherLayouts) {
  Rewriting rewriting("t = f32[8,64]{0,1} custom(x)  q = f32[8,8] dot(y, t)", "", "{0,1}");
  rewriting.Read("t");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(),
            "t = custom(x); jax_oneshot_operand.0 = copy(t); jax_oneshot.1 = custom-call(d, x, jax_oneshot_operand.0); "
            "jax_oneshot_result.2 = get-tuple-element(jax_oneshot.1); y = copy(jax_oneshot_result.2); q = dot(y, t)");
  EXPECT_TRUE(rewriting.after("jax_oneshot_operand.0").shape->IsRowMajor());
  EXPECT_EQ(rewriting.after("y").shape->bytes, rewriting.before("y").shape->bytes);
}

TEST(RewriteComputation, ClonesTheSameExpressionOfTwoFusionsOnce) {
  const auto fused = [](const std::string& name, const std::string& slice) {
    return name + " { " + name + "_s = f32[8,64] parameter(0)  " + name + "_i = s32[] parameter(1)  " + slice +
           " = f32[64] dynamic-slice(" + name + "_s, " + name + "_i, " + name + "_i) } ";
  };
  Rewriting rewriting(
      "a = f32[64] fusion(x, i), calls=one  b = f32[64] fusion(x, i), calls=two  q = f32[8] dot(y, a, b)",
      fused("one", "s1") + fused("two", "s2"));
  rewriting.ReadClone("s1", {"x", "i"});
  rewriting.ReadClone("s2", {"x", "i"});
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(),
            "a = fusion(x, i); b = fusion(x, i); jax_oneshot_operand.0 = dynamic-slice(x, i, i); "
            "y = custom-call(d, x, jax_oneshot_operand.0, jax_oneshot_operand.0); q = dot(y, a, b)");
}

TEST(RewriteComputation, LeavesOneOfEqualGathers) {
  const std::string gather = " = f32[16,64] all-gather(x), dimensions={0}, replica_groups={{0,1}}  ";
  Rewriting rewriting("a" + gather + "b" + gather + "q = f32[8,8] dot(y, a, b)");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(), "a = all-gather(x); b = copy(a); y = custom-call(d, x); q = dot(y, a, b)");
  EXPECT_EQ(rewriting.Replaced(), "b");
}

TEST(RewriteComputation, KeepsACallWhoseResultsNobodyReads) {
  Rewriting rewriting("ROOT other = f32[8,64] custom(x)");
  rewriting.Return("y", 0);
  EXPECT_EQ(rewriting.Run(), "other = custom(x); y = custom-call(d, x)") << "it still has to meet its peers";
}

}  // namespace
}  // namespace jax_oneshot
