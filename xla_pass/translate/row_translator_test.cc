// SPDX-License-Identifier: Apache-2.0
// RowTranslator: instructions to statements, one unit at a time, and why some have no row form.
#include "xla_pass/translate/row_translator.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "row_program/text.h"
#include "xla_pass/graph/test_graph.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

constexpr char kSum[] = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; ";

// After %ar = f32[8,128] all-reduce(%d) on two ranks; `fused` are computations placed before the entry.
class Translation {
 public:
  explicit Translation(const std::string& body, const std::string& fused = "")
      : test_(kReducers + fused + R"(
          main { d = f32[8,128] parameter(0)
                 x = f32[8,128] parameter(1)
                 zero = f32[] constant(0)
                 rank = u32[] replica-id()
                 columns = u32[] constant(64)
                 none = u32[] constant(0)
                 mine = u32[] multiply(rank, columns)
                 ar = f32[8,128] all-reduce(d), replica_groups={{0,1}}, to_apply=add )" +
              body + "}"),
        translator_(test_.graph(), {test_.entry(),
                                    {8, 128},
                                    &groups_,
                                    [](Node) { return false; },
                                    [this](Node node) { return same.count(NameOf(node)) != 0; },
                                    &steps_}) {
    translator_.AddAllReduce(Reducer::kSum, test_["d"], {test_["ar"]}, DType::kF32);
  }

  // The first error, or "".
  std::string Translate(const std::vector<std::string>& units) {
    for (const std::string& unit : units) {
      if (Decision<void> done = translator_.TranslateUnit(test_[unit]); !done) return done.error().text;
    }
    return "";
  }

  // The program that returns these values.
  std::string Program(const std::vector<std::string>& names) const {
    std::vector<Output> outputs;
    for (const std::string& name : names) {
      const Decision<Output> output = translator_.ExportOf(test_[name]);
      if (!output) return output.error().text;
      outputs.push_back(*output);
    }
    const std::string text = PrintRowProgram(translator_.builder().Finish(outputs).program);
    return text.rfind(kSum, 0) == 0 ? text.substr(sizeof kSum - 1) : text;
  }

  std::string NameOf(Node node) const { return std::string(test_.graph().at(node).name); }
  Node operator[](const std::string& name) const { return test_[name]; }
  RowTranslator& translator() { return translator_; }

  std::set<std::string> same;

 private:
  const hlo::ReplicaGroups groups_ = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  TestGraph test_;
  StepBudget steps_ = StepBudget(10000);
  RowTranslator translator_;
};

// As XLA:CPU does within one fusion, whether the region computes the product or reads it.
TEST(RowTranslator, WritesAMultiplyAddWhereXlaContractsOne) {
  const std::string fused = R"(
          f { q = f32[8,128] parameter(0)
              g = f32[8,128] parameter(1)
              m = f32[8,128] multiply(q, g)
              k = f32[8,128] multiply(g, g)
              l = f32[8,128] add(k, g)
              s = f32[8,128] add(m, l) }
          )";
  const std::string fusion = "r = f32[8,128] fusion(ar, x), calls=f";
  Translation loop(fusion + ", kind=kLoop", fused);
  EXPECT_EQ(loop.Translate({"r"}), "");
  EXPECT_EQ(loop.Program({"r"}),
            "v1 (a0: sum f32 row, a1: local f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = load a1; "
            "x2: f32 row = multiply_add x1, x1, x1; x3: f32 row = multiply_add x0, x1, x2 } -> (x3: row)");
  Translation other(fusion + ", kind=kCustom", fused);
  EXPECT_EQ(other.Translate({"r"}), "");
  EXPECT_EQ(other.Program({"r"}).find("multiply_add"), std::string::npos);
}

TEST(RowTranslator, WritesAddMultiplyAndRowSum) {
  Translation t(R"(r = f32[8,128] add(ar, x)
                   s = f32[8,128] multiply(r, r)
                   m = f32[8] reduce(s, zero), dimensions={1}, to_apply=add)");
  EXPECT_EQ(t.Translate({"r", "s", "m"}), "");
  EXPECT_EQ(t.Program({"m", "r"}),
            "v1 (a0: sum f32 row, a1: local f32 row) { x0: f32 row = all_reduce a0; x1: f32 row = load a1; "
            "x2: f32 row = add x0, x1; x3: f32 row = multiply x2, x2; x4: f32 rowscalar = reduce_sum x3 } "
            "-> (x4: rowscalar, x2: row)");
}

TEST(RowTranslator, WritesANormOfShardsAsOneOfWholeRows) {
  Translation whole(R"(s = f32[8,128] multiply(ar, ar)
                       m = f32[8] reduce(s, zero), dimensions={1}, to_apply=add
                       b = f32[8,128] broadcast(m), dimensions={0}
                       y = f32[8,128] divide(ar, b))");
  EXPECT_EQ(whole.Translate({"s", "m", "b", "y"}), "");
  Translation shards(R"(c = f32[8,64] dynamic-slice(ar, none, mine)
                        s = f32[8,64] multiply(c, c)
                        m = f32[8] reduce(s, zero), dimensions={1}, to_apply=add
                        t = f32[8] all-reduce(m), replica_groups={{0,1}}, to_apply=add
                        b = f32[8,64] broadcast(t), dimensions={0}
                        n = f32[8,64] divide(c, b)
                        y = f32[8,128] all-gather(n), dimensions={1}, replica_groups={{0,1}})");
  EXPECT_EQ(shards.Translate({"c", "s", "m", "t", "b", "n", "y"}), "");
  EXPECT_EQ(shards.Program({"y"}), whole.Program({"y"}));
  EXPECT_EQ(shards.Program({"m"}), "%m is a partial row reduction");
  EXPECT_TRUE(shards.translator().ExportOf(shards["n"])->shard) << "users of the local shard receive only that";
}

TEST(RowTranslator, CompletesSeveralRowSumsThatOneAllReduceCarries) {
  Translation t(R"(c = f32[8,64] dynamic-slice(ar, none, mine)
                   s = f32[8,64] multiply(c, c)
                   m = f32[8] reduce(c, zero), dimensions={1}, to_apply=add
                   v = f32[8] reduce(s, zero), dimensions={1}, to_apply=add
                   both = (f32[8], f32[8]) all-reduce(m, v), replica_groups={{0,1}}, to_apply=add
                   e = f32[8] get-tuple-element(both), index=1)");
  EXPECT_EQ(t.Translate({"c", "s", "m", "v", "both", "e"}), "");
  EXPECT_EQ(t.Program({"e"}), "x1: f32 row = multiply x0, x0; x2: f32 rowscalar = reduce_sum x1 } -> (x2: rowscalar)");
}

TEST(RowTranslator, RefusesCollectivesThatDoNotFitTheShards) {
  Translation t(R"(c = f32[8,64] dynamic-slice(ar, none, mine)
                   again = f32[8,32] dynamic-slice(c, none, mine)
                   g = f32[8,256] all-gather(ar), dimensions={1}, replica_groups={{0,1}}
                   total = f32[8,64] all-reduce(c), replica_groups={{0,1}}, to_apply=add
                   elsewhere = f32[8,64] dynamic-slice(ar, none, none))");
  EXPECT_EQ(t.Translate({"elsewhere"}), "rank 1 slices at column 0, its own columns begin at 64");
  EXPECT_EQ(t.Translate({"g"}), "it does not gather the columns of rows");
  EXPECT_EQ(t.Translate({"c", "again"}), "it does not slice the row into one piece per rank");
  EXPECT_EQ(t.Translate({"total"}), "all-reduce does not complete a row reduction");
}

TEST(RowTranslator, SlicesOnlyWhatIsTheSameOnEveryRank) {
  const std::string body = "r = f32[8,128] add(ar, x)  c = f32[8,64] dynamic-slice(r, none, mine)";
  Translation t(body);
  EXPECT_EQ(t.Translate({"r", "c"}), "it takes columns of a value made from %x, which may differ between ranks");
  Translation same(body);
  same.same = {"x"};
  EXPECT_EQ(same.Translate({"r", "c"}), "");
}

TEST(RowTranslator, GathersShardsWhereNothingIsSummed) {
  const TestGraph test("main { s = bf16[8,64] parameter(0)  q = bf16[8,64] multiply(s, s) }");
  const hlo::ReplicaGroups groups = {hlo::GroupMode::kCrossReplica, {{0, 1}}};
  const auto never = [](Node) { return false; };
  StepBudget steps(1000);
  RowTranslator translator(test.graph(), {0, {8, 128}, &groups, never, never, &steps});
  ASSERT_TRUE(translator.AddShard(test["s"], {1}));
  ASSERT_TRUE(translator.TranslateUnit(test["q"]));
  EXPECT_EQ(PrintRowProgram(translator.builder().Finish({translator.ExportOf(test["q"]).value()}).program),
            "v1 (a0: gather bf16 row) { x0: bf16 row = all_gather a0; x1: bf16 row = multiply x0, x0 } "
            "-> (x1: row shard)");
  RowTranslator wider(test.graph(), {0, {8, 256}, &groups, never, never, &steps});
  EXPECT_EQ(Refusal(wider.AddShard(test["s"], {1})), "operand %s of shape bf16[8,64] does not fit rows of width 128");
}

TEST(RowTranslator, TakesAFusionWholeOrNotAtAll) {
  const std::string fused = R"(
    good { p = f32[8,128] parameter(0)
           q = f32[8,128] negate(p)
           good_y = f32[8,128] abs(q) }
    bad { u = f32[8,128] parameter(0)
          v = f32[8,128] negate(u)
          bad_y = f32[8,128] cumsum(v) } )";
  Translation t("f = f32[8,128] fusion(ar), calls=good  g = f32[8,128] fusion(ar), calls=bad", fused);
  EXPECT_EQ(t.Translate({"g"}), "cumsum has no row form");
  EXPECT_FALSE(t.translator().Computes(t["v"])) << "nothing of it stays";
  EXPECT_EQ(t.Translate({"f"}), "");
  EXPECT_EQ(t.Program({"f"}), "x1: f32 row = negate x0; x2: f32 row = abs x1 } -> (x2: row)");
}

TEST(RowTranslator, ReadsTheElementsOfAFusionOfSeveral) {
  const std::string two = R"(
    two { p = f32[8,128] parameter(0)
          p1 = f32[8,128] parameter(1)
          q = f32[8,128] negate(p)
          r = f32[8,128] abs(p1)
          both = (f32[8,128], f32[8,128]) tuple(q, r) } )";
  const std::string element = "  e = f32[8,128] get-tuple-element(f), index=0";
  Translation t("f = (f32[8,128], f32[8,128]) fusion(ar, ar), calls=two" + element, two);
  EXPECT_EQ(t.Translate({"f", "e"}), "");
  EXPECT_EQ(t.Program({"e"}), "x1: f32 row = negate x0 } -> (x1: row)");
  Translation half("f = (f32[8,128], f32[8,128]) fusion(ar, x), calls=two" + element, two);
  EXPECT_EQ(half.Translate({"f"}), "one of its results does not depend on the all-reduce");
}

TEST(RowTranslator, TakesAWindowedRowSumForOneRowSum) {
  Translation t(R"(w = f32[8,4] reduce-window(ar, zero), window={size=1x32 stride=1x32}, to_apply=add
                   m = f32[8] reduce(w, zero), dimensions={1}, to_apply=add
                   most = f32[8] reduce(w, zero), dimensions={1}, to_apply=max
                   n = f32[8,4] negate(w))");
  EXPECT_EQ(t.Translate({"w", "m"}), "");
  EXPECT_EQ(t.Program({"m"}), "x1: f32 rowscalar = reduce_sum x0 } -> (x1: rowscalar)");
  EXPECT_EQ(t.Program({"w"}), "%w is a partial row reduction");
  EXPECT_EQ(t.Translate({"most"}), "it mixes two kinds of reduction");
  EXPECT_EQ(t.Translate({"n"}), "it reads a partial row reduction");
}

TEST(RowTranslator, ReducesExactlyTheRow) {
  Translation t(R"(two = f32[] constant(2)
                   more = f32[8] reduce(ar, two), dimensions={1}, to_apply=add
                   columns_sum = f32[128] reduce(ar, zero), dimensions={0}, to_apply=add
                   all = f32[] reduce(ar, zero), dimensions={0,1}, to_apply=add
                   c = f32[8,64] dynamic-slice(ar, none, mine)
                   from_two = f32[8] reduce(c, two), dimensions={1}, to_apply=add)");
  EXPECT_EQ(t.Translate({"more"}), "");
  EXPECT_EQ(t.Program({"more"}),
            "x1: f32 rowscalar = reduce_sum x0; x2: f32 scalar = constant 2; x3: f32 rowscalar = add x1, x2 } "
            "-> (x3: rowscalar)");
  EXPECT_EQ(t.Translate({"columns_sum"}), "reduce is not over the whole row");
  EXPECT_EQ(t.Translate({"all"}), "reduce is not over the whole row");
  EXPECT_EQ(t.Translate({"c", "from_two"}), "its initial value is not the reduction's identity")
      << "every rank would add it once more";
}

TEST(RowTranslator, TakesMovesThatKeepRowsWhole) {
  Translation t(R"(r = f32[2,4,128] reshape(ar)
                   y = f32[2,4,128] negate(r)
                   mixed = f32[4,256] reshape(ar)
                   turned = f32[4,2,128] transpose(r), dimensions={1,0,2}
                   bits = s32[8,128] bitcast(ar)
                   lies = f32[8,128]{0,1} bitcast(ar))");
  EXPECT_EQ(t.Translate({"r", "y"}), "");
  EXPECT_EQ(t.Program({"y"}), "x1: f32 row = negate x0 } -> (x1: row)");
  EXPECT_EQ(t.Translate({"mixed"}), "reshape from f32[8,128] to f32[4,256] mixes rows and width");
  EXPECT_EQ(t.Translate({"turned"}), "transpose moves elements between rows");
  EXPECT_EQ(t.Translate({"bits"}), "a bitcast changes the type");
  EXPECT_EQ(t.Translate({"lies"}), "bitcast changes the layout");
}

TEST(RowTranslator, RefusesWhatIsNotAlongRows) {
  Translation t(R"(m = f32[8] reduce(ar, zero), dimensions={1}, to_apply=add
                   across = f32[128,9] broadcast(m), dimensions={0}
                   d2 = f32[8,8] dot(ar, ar)
                   whole = f32[8,128] convert(ar)
                   i = s32[8,128] convert(ar))");
  EXPECT_EQ(t.Translate({"m", "across"}), "broadcast to f32[128,9] is not along rows");
  EXPECT_EQ(t.Translate({"d2"}), "dot has no row form");
  EXPECT_EQ(t.Translate({"i"}), "type s32 is not one of a row program's");
  EXPECT_EQ(t.Translate({"whole"}), "");
}

TEST(RowTranslator, TakesBackTheLastUnit) {
  Translation t("r = f32[8,128] add(ar, x)  y = f32[8,128] negate(ar)");
  EXPECT_EQ(t.Translate({"r"}), "");
  t.translator().TakeBackLastUnit();
  EXPECT_FALSE(t.translator().Computes(t["r"]));
  EXPECT_EQ(t.translator().operands().size(), 1u) << "the sum's own";
  EXPECT_EQ(t.Program({"r"}), "%r has no single value");
  EXPECT_EQ(t.Translate({"y"}), "");
  EXPECT_EQ(t.Program({"y"}), "x1: f32 row = negate x0 } -> (x1: row)");
}

}  // namespace
}  // namespace jax_oneshot
