// SPDX-License-Identifier: Apache-2.0
// Which values are known to be the same on every rank of a group, through tuples, loops and calls.
#include "xla_pass/graph/replication.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/replica_groups_builder.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using hlo::PrimitiveType;
using hlo::TestComputation;
using hlo::TestInstruction;
using hlo::TestParameter;
using hlo::TestShape;

const hlo::ReplicaGroups kHalves = {hlo::GroupMode::kFlattenedId, {{0, 1}, {2, 3}}};

// A collective among these groups, with global device ids; to_apply is left out because Replication does not read it.
TestInstruction Collective(int64_t id, std::string name, std::string opcode, int64_t operand,
                           const std::vector<std::vector<int64_t>>& groups) {
  namespace field = hlo::fields::hlo_instruction;
  TestInstruction instruction = TestOp(id, std::move(name), std::move(opcode), {operand});
  wire::Writer more;
  for (const auto& group : groups) more.Bytes(field::kReplicaGroups, hlo::TestGroup(group));
  instruction.more = more.Integer(field::kUseGlobalDeviceIds, 1).Integer(field::kChannelId, 1).Take();
  return instruction;
}

TestInstruction Element(int64_t id, std::string name, int64_t tuple, int64_t index) {
  TestInstruction instruction = TestOp(id, std::move(name), "get-tuple-element", {tuple});
  instruction.more = wire::Writer().Integer(hlo::fields::hlo_instruction::kTupleIndex, index).Take();
  return instruction;
}

std::string Tuple(int elements) {
  wire::Writer out;
  out.Integer(hlo::fields::shape::kElementType, static_cast<int64_t>(PrimitiveType::kTuple));
  for (int i = 0; i < elements; ++i) out.Bytes(hlo::fields::shape::kTupleShapes, TestShape(PrimitiveType::kF32, {8}));
  return out.Take();
}

std::string Same(const TestGraph& test, const std::vector<std::string>& names) {
  const Replication replication(test.graph(), kHalves);
  std::string same;
  for (const std::string& name : names) {
    if (replication.IsSame(test[name])) same += (same.empty() ? "" : " ") + name;
  }
  return same;
}

TEST(Replication, ComesFromCollectivesThatSpanTheGroupAndFromConstants) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 8};
  main.instructions.push_back(Collective(2, "within", "all-reduce", 1, {{1, 0}, {2, 3}}));
  main.instructions.push_back(Collective(3, "all", "all-gather", 1, {{0, 1, 2, 3}}));
  main.instructions.push_back(Collective(4, "across", "all-reduce", 1, {{0, 2}, {1, 3}}));
  main.instructions.push_back(Collective(5, "scatter", "reduce-scatter", 1, {{0, 1}, {2, 3}}));
  main.instructions.push_back(TestOp(6, "number", "constant", {}));
  main.instructions.push_back(TestOp(7, "id", "partition-id", {}));
  main.instructions.push_back(TestOp(8, "sum", "add", {2, 6}));
  const TestGraph test({main}, 1);
  EXPECT_EQ(Same(test, {"p0", "within", "all", "across", "scatter", "number", "id", "sum"}), "within all number sum");
}

TEST(Replication, IsLostToOneOperandAndToWhatMayHaveAStateOfItsOwn) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 6};
  main.instructions.push_back(Collective(2, "same", "all-reduce", 1, {{0, 1}, {2, 3}}));
  main.instructions.push_back(TestOp(3, "mixed", "add", {1, 2}));
  main.instructions.push_back(TestOp(4, "called", "custom-call", {2}));
  main.instructions.push_back(TestOp(5, "drawn", "rng", {2}));
  main.instructions.push_back(TestOp(6, "kept", "dot", {2, 2}));
  const TestGraph test({main}, 1);
  EXPECT_EQ(Same(test, {"mixed", "called", "drawn", "kept"}), "kept");
}

TEST(Replication, GoesThroughTuplesByElement) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 5};
  main.instructions.push_back(Collective(2, "same", "all-reduce", 1, {{0, 1}, {2, 3}}));
  main.instructions.push_back(TestOp(3, "pair", "tuple", {1, 2}));
  main.instructions.back().shape = Tuple(2);
  main.instructions.push_back(Element(4, "first", 3, 0));
  main.instructions.push_back(Element(5, "second", 3, 1));
  EXPECT_EQ(Same(TestGraph({main}, 1), {"pair", "first", "second"}), "second");
}

// while(tuple(same, p, number)): the body returns (f(same element), that plus the other element, number).
TestGraph Loop(bool condition_reads_parameter) {
  const std::string state = Tuple(3);
  TestComputation body{1, "body", {TestParameter(10, 0)}, 16};
  body.instructions[0].shape = state;
  body.instructions.push_back(Element(11, "x", 10, 0));
  body.instructions.push_back(Element(12, "y", 10, 1));
  body.instructions.push_back(Element(13, "n", 10, 2));
  body.instructions.push_back(TestOp(14, "next_x", "negate", {11}));
  body.instructions.push_back(TestOp(15, "next_n", "add", {13, 12}));
  body.instructions.push_back(TestOp(16, "next", "tuple", {14, 12, 15}));
  body.instructions.back().shape = state;
  TestComputation condition{2, "condition", {TestParameter(20, 0)}, 22};
  condition.instructions[0].name = "condition_state";
  condition.instructions[0].shape = state;
  condition.instructions.push_back(Element(21, "counter", 20, condition_reads_parameter ? 1 : 0));
  condition.instructions.push_back(TestOp(22, "less", "compare", {21, 21}));
  condition.instructions.back().shape = TestShape(PrimitiveType::kPred, {});
  TestComputation main{3, "main", {TestParameter(30, 0)}, 35};
  main.instructions.push_back(Collective(31, "same", "all-reduce", 30, {{0, 1}, {2, 3}}));
  main.instructions.push_back(TestOp(32, "number", "constant", {}));
  main.instructions.push_back(TestOp(33, "start", "tuple", {31, 30, 32}));
  main.instructions.back().shape = state;
  main.instructions.push_back(TestOp(34, "loop", "while", {33}));
  main.instructions.back().shape = state;
  main.instructions.back().called_computations = {1, 2};
  main.instructions.push_back(Element(35, "result", 34, 0));
  return TestGraph({body, condition, main}, 3);
}

TEST(Replication, HoldsInALoopWhatStartsSoAndStaysSo) {
  EXPECT_EQ(Same(Loop(false), {"x", "y", "n", "next_x", "next_n", "result"}), "x next_x result")
      << "the third element starts as a constant, but the parameter is added to it";
}

TEST(Replication, IsLostWhereRanksMayLeaveTheLoopAtDifferentTimes) {
  EXPECT_EQ(Same(Loop(true), {"x", "y", "n", "next_x", "next_n", "result"}), "");
}

TEST(Replication, EntersAFusionButNothingThatIsCalledTwice) {
  for (const bool twice : {false, true}) {
    TestComputation fused{1, "fused", {TestParameter(10, 0), TestOp(11, "inner", "negate", {10})}, 11};
    fused.instructions[0].name = "q";
    TestComputation main{2, "main", {TestParameter(20, 0)}, 22};
    main.instructions.push_back(Collective(21, "same", "all-reduce", 20, {{0, 1}, {2, 3}}));
    main.instructions.push_back(TestOp(22, "outer", "fusion", {21}));
    main.instructions.back().called_computations = {1};
    if (twice) {
      main.instructions.push_back(TestOp(23, "again", "fusion", {20}));
      main.instructions.back().called_computations = {1};
    }
    EXPECT_EQ(Same(TestGraph({fused, main}, 2), {"q", "inner", "outer"}), twice ? "" : "q inner outer");
  }
}

// One sharding per entry parameter over a 2 x 2 mesh, whose axis `split` shards the parameter; negative: replicated.
std::string ParameterShardings(const std::vector<int>& split) {
  namespace fields = hlo::fields;
  wire::Writer mesh, out;
  for (int axis = 0; axis < 2; ++axis) {
    mesh.Bytes(fields::mesh::kAxes, wire::Writer().Integer(fields::mesh_axis::kSize, 2).str());
  }
  for (int axis : split) {
    wire::Writer named;
    named.Bytes(fields::named_sharding::kMesh, mesh.str());
    if (axis >= 0) {
      const std::string ref = wire::Writer().Integer(fields::axis_ref::kMeshAxisIndex, axis).Take();
      const std::string dimension = wire::Writer().Bytes(fields::dim_sharding::kAxes, ref).Take();
      named.Bytes(fields::named_sharding::kDimShardings, dimension);
    }
    const std::string sharding = wire::Writer().Bytes(fields::op_sharding::kNamedSharding, named.str()).Take();
    out.Bytes(fields::hlo_module::kSpmdParametersShardings, sharding);
  }
  return out.Take();
}

TEST(Replication, TakesTheModulesWordForItsParameters) {
  TestComputation main{1, "main", {TestParameter(1, 0), TestParameter(2, 1), TestParameter(3, 2)}, 4};
  main.instructions.push_back(TestOp(4, "sum", "add", {1, 2}));
  const std::vector<std::string> names = {"p0", "p1", "p2", "sum"};
  EXPECT_EQ(Same(TestGraph({main}, 1, ParameterShardings({-1, 0, 1})), names), "p0 p1 sum")
      << "the halves lie along the second axis, which splits the last parameter";
  EXPECT_EQ(Same(TestGraph({main}, 1, ParameterShardings({-1, -1})), names), "") << "of another number of parameters";
  EXPECT_EQ(Same(TestGraph({main}, 1), names), "");
}

TEST(Replication, GoesThroughSortsAndCountsButNotThroughScatteredSumsOfFloats) {
  const TestGraph test(std::string(kReducers) + R"(
    count { count_a = s32[] parameter(0)
            count_b = s32[] parameter(1)
            count_r = s32[] add(count_a, count_b) }
    main { x = s32[8] parameter(0)
           y = f32[8] parameter(1)
           keys = s32[8] all-reduce(x), replica_groups={{0,1}}, to_apply=count
           values = f32[8] all-reduce(y), replica_groups={{0,1}}, to_apply=add
           sorted = s32[8] sort(keys), to_apply=count
           own = s32[8] sort(x), to_apply=count
           counts = s32[8] scatter(keys, sorted, keys), to_apply=count
           sums = f32[8] scatter(values, sorted, values), to_apply=add })");
  const Replication replication(test.graph(), {hlo::GroupMode::kCrossReplica, {{0, 1}}});
  EXPECT_TRUE(replication.IsSame(test["sorted"]));
  EXPECT_TRUE(replication.IsSame(test["counts"]));
  EXPECT_FALSE(replication.IsSame(test["own"]));
  EXPECT_FALSE(replication.IsSame(test["sums"]));
}

TEST(ReplicationCache, LooksOncePerGroup) {
  TestComputation main{1, "main", {TestParameter(1, 0)}, 2};
  main.instructions.push_back(Collective(2, "same", "all-reduce", 1, {{0, 1}, {2, 3}}));
  const TestGraph test({main}, 1);
  ReplicationCache cache(test.graph());
  const Replication& halves = cache.For(kHalves);
  const Replication& all = cache.For({hlo::GroupMode::kFlattenedId, {{0, 1, 2, 3}}});
  EXPECT_EQ(&halves, &cache.For(kHalves));
  EXPECT_TRUE(halves.IsSame(test["same"]));
  EXPECT_FALSE(all.IsSame(test["same"]));
}

}  // namespace
}  // namespace jax_oneshot
