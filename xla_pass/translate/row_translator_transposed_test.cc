// SPDX-License-Identifier: Apache-2.0
// RowTranslator: values with columns first. Rows and columns are equally many, so that only the path of a value says
// which dimension is which.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "row_program/text.h"
#include "xla_pass/graph/test_graph.h"
#include "xla_pass/translate/row_translator.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

// After %ar = f32[8,8] all-reduce(%d) on two ranks; every value is replicated.
class Square {
 public:
  explicit Square(const std::string& body)
      : test_(std::string(kReducers) + R"(
          main { d = f32[8,8] parameter(0)
                 x = f32[8,8] parameter(1)
                 g = f32[8] parameter(2)
                 half = f32[4] parameter(3)
                 zero = f32[] constant(0)
                 rank = u32[] replica-id()
                 columns = u32[] constant(4)
                 none = u32[] constant(0)
                 mine = u32[] multiply(rank, columns)
                 ar = f32[8,8] all-reduce(d), replica_groups={{0,1}}, to_apply=add
                 t = f32[8,8] transpose(ar), dimensions={1,0} )" +
              body + "}"),
        translator_(test_.graph(),
                    {test_.entry(), {8, 8}, &groups_, [](Node) { return false; }, [](Node) { return true; }, &steps_}) {
    translator_.AddAllReduce(Reducer::kSum, test_["d"], {test_["ar"]}, DType::kF32);
  }

  // The first error, or "".
  std::string Translate(const std::vector<std::string>& units) {
    for (const std::string& unit : units) {
      if (Decision<void> done = translator_.TranslateUnit(test_[unit]); !done) return done.error().text;
    }
    return "";
  }

  // What the call returns for the value.
  std::string Program(const std::string& name) const {
    const Decision<Output> output = translator_.ExportOf(test_[name]);
    if (!output) return output.error().text;
    const std::string text = PrintRowProgram(translator_.builder().Finish({*output}).program);
    return text.substr(text.find("all_reduce a0; ") + 15);
  }

 private:
  const hlo::ReplicaGroups groups_ = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  TestGraph test_;
  StepBudget steps_ = StepBudget(10000);
  RowTranslator translator_;
};

TEST(TransposedRows, AreScaledByAWeightAlongTheFirstDimension) {
  Square t(R"(gb = f32[8,8] broadcast(g), dimensions={0}
              y = f32[8,8] multiply(gb, t)
              back = f32[8,8] transpose(y), dimensions={1,0})");
  EXPECT_EQ(t.Translate({"t", "y", "back"}), "");
  EXPECT_EQ(t.Program("back"), "x1: f32 vec = load a1; x2: f32 row = multiply x1, x0 } -> (x2: row)");
  EXPECT_EQ(t.Program("y"), "%y: its rows are transposed");
}

TEST(TransposedRows, ReadOneNumberPerRowAlongTheSecondDimension) {
  Square t(R"(gb = f32[8,8] broadcast(g), dimensions={1}
              y = f32[8,8] multiply(gb, t)
              back = f32[8,8]{0,1} bitcast(y)
              copied = f32[8,8] copy(back))");
  EXPECT_EQ(t.Translate({"t", "y", "back", "copied"}), "");
  EXPECT_EQ(t.Program("back"), "%back: its layout is not row-major");
  EXPECT_EQ(t.Program("copied"), "x1: f32 rowscalar = load a1; x2: f32 row = multiply x1, x0 } -> (x2: row)");
}

TEST(TransposedRows, AreReducedOverTheFirstDimension) {
  Square t(R"(m = f32[8] reduce(t, zero), dimensions={0}, to_apply=add
              mb = f32[8,8] broadcast(m), dimensions={1}
              y = f32[8,8] divide(t, mb)
              back = f32[8,8] transpose(y), dimensions={1,0}
              mr = f32[8,8] broadcast(m), dimensions={0}
              z = f32[8,8] divide(ar, mr)
              rows = f32[8] reduce(t, zero), dimensions={1}, to_apply=add)");
  EXPECT_EQ(t.Translate({"t", "m", "mb", "y", "back"}), "");
  EXPECT_EQ(t.Program("back"), "x1: f32 rowscalar = reduce_sum x0; x2: f32 row = divide x0, x1 } -> (x2: row)");
  EXPECT_EQ(t.Program("m"), "x1: f32 rowscalar = reduce_sum x0 } -> (x1: rowscalar)");
  EXPECT_EQ(t.Translate({"mr", "z"}), "");
  EXPECT_EQ(t.Translate({"rows"}), "reduce is not over the whole row");
}

TEST(TransposedRows, AreReducedInWindowsOfTheFirstDimension) {
  Square t(R"(w = f32[2,8] reduce-window(t, zero), window={size=4x1 stride=4x1}, to_apply=add
              m = f32[8] reduce(w, zero), dimensions={0}, to_apply=add
              all = f32[1,8] reduce-window(t, zero), window={size=8x1 stride=8x1}, to_apply=add
              n = f32[8] reduce(all, zero), dimensions={0}, to_apply=add
              rows = f32[8,2] reduce-window(t, zero), window={size=1x4 stride=1x4}, to_apply=add)");
  EXPECT_EQ(t.Translate({"t", "w", "m", "all", "n"}), "");
  EXPECT_EQ(t.Program("m"), "x1: f32 rowscalar = reduce_sum x0 } -> (x1: rowscalar)");
  EXPECT_EQ(t.Program("w"), "%w is a partial row reduction");
  EXPECT_EQ(t.Translate({"rows"}), "its window does not tile the row");
}

TEST(TransposedRows, DoNotMixWithRows) {
  Square t(R"(both = f32[8,8] add(ar, t)
              residual = f32[8,8] add(t, x)
              xt = f32[8,8] transpose(x), dimensions={1,0}
              same = f32[8,8] add(t, xt)
              back = f32[8,8] transpose(same), dimensions={1,0})");
  EXPECT_EQ(t.Translate({"t", "both"}), "its operands fold onto rows differently");
  EXPECT_EQ(t.Translate({"residual"}), "operand %x: its rows are transposed");
  EXPECT_EQ(t.Translate({"same", "back"}), "");
  EXPECT_EQ(t.Program("back"), "x1: f32 row = load a1; x2: f32 row = add x0, x1 } -> (x2: row)");
}

TEST(TransposedRows, AreSlicedAndGatheredAlongTheFirstDimension) {
  Square t(R"(c = f32[4,8] dynamic-slice(t, mine, none)
              hb = f32[4,8] broadcast(half), dimensions={0}
              y = f32[4,8] multiply(c, hb)
              m = f32[8] reduce(y, zero), dimensions={0}, to_apply=add
              total = f32[8] all-reduce(m), replica_groups={{0,1}}, to_apply=add
              all = f32[8,8] all-gather(y), dimensions={0}, replica_groups={{0,1}}
              back = f32[8,8] transpose(all), dimensions={1,0}
              rows = f32[8,4] dynamic-slice(t, none, mine)
              stacked = f32[4,16] all-gather(y), dimensions={1}, replica_groups={{0,1}})");
  EXPECT_EQ(t.Translate({"t", "c", "y", "m", "total", "all", "back"}), "");
  EXPECT_EQ(t.Program("back"), "x1: f32 vec = all_gather a1; x2: f32 row = multiply x0, x1 } -> (x2: row)");
  EXPECT_EQ(t.Program("total"),
            "x1: f32 vec = all_gather a1; x2: f32 row = multiply x0, x1; x3: f32 rowscalar = reduce_sum x2 } "
            "-> (x3: rowscalar)");
  EXPECT_EQ(t.Program("y"), "%y: its rows are transposed");
  EXPECT_EQ(t.Translate({"rows"}), "it does not slice the row into one piece per rank");
  EXPECT_EQ(t.Translate({"stacked"}), "it does not gather the columns of rows");
}

}  // namespace
}  // namespace jax_oneshot
