// SPDX-License-Identifier: Apache-2.0
// How a call's attributes are parsed, and the errors for invalid ones.
#include "ffi_kernels/call_spec.h"

#include <gtest/gtest.h>

namespace jax_oneshot {
namespace {

constexpr char kPlain[] = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)";

CallAttributes Good() {
  CallAttributes a;
  a.program = kPlain;
  a.group_mode = "cross_partition";
  a.rows = 8;
  a.width = 4096;
  a.group_size = 2;
  a.groups = {0, 1, 2, 3};
  a.channel_id = 7;
  a.call = 3;
  a.timeout_ms = 5000;
  return a;
}

std::string ErrorOf(const CallAttributes& attributes) {
  const Result<CallSpec> spec = MakeCallSpec(attributes);
  return spec ? "no error" : spec.error();
}

TEST(CallSpec, HoldsWhatTheAttributesSay) {
  const Result<CallSpec> spec = MakeCallSpec(Good());
  ASSERT_TRUE(spec.has_value()) << spec.error();
  EXPECT_EQ(spec->name, "one-shot all-reduce 3 (channel 7)");
  EXPECT_EQ(spec->program.inputs.size(), 1u);
  EXPECT_EQ(spec->groups.Text(), "{{0,1},{2,3}}");
  EXPECT_EQ(spec->timeout.count(), 5000);
}

TEST(CallSpec, LeavesTheChannelOutOfTheNameWhereThereIsNone) {
  CallAttributes a = Good();
  a.channel_id = 0;
  EXPECT_EQ(MakeCallSpec(a)->name, "one-shot all-reduce 3");
}

TEST(CallSpec, ReadsTheAlgorithmAndRefusesOneThatIsNone) {
  CallAttributes a = Good();
  EXPECT_EQ(MakeCallSpec(a)->algorithm, Algorithm::kOneShot);
  a.algorithm = "two_shot";
  EXPECT_EQ(MakeCallSpec(a)->algorithm, Algorithm::kTwoShot);
  a.algorithm = "ring";
  EXPECT_EQ(ErrorOf(a),
            "one-shot all-reduce 3 (channel 7): attribute algorithm is 'ring', expected 'one_shot' or 'two_shot'");
}

TEST(CallSpec, RefusesNumbersOutOfRange) {
  CallAttributes a = Good();
  a.rows = 0;
  EXPECT_EQ(ErrorOf(a), "one-shot all-reduce 3 (channel 7): attribute rows is 0, expected 1 to 1099511627776");
  a = Good();
  a.width = -4;
  EXPECT_NE(ErrorOf(a).find("attribute width is -4"), std::string::npos);
  a = Good();
  a.timeout_ms = 0;
  EXPECT_NE(ErrorOf(a).find("attribute timeout_ms is 0"), std::string::npos);
  a = Good();
  a.rows = a.width = int64_t{1} << 30;
  EXPECT_NE(ErrorOf(a).find("expected at most 1099511627776 elements"), std::string::npos);
}

TEST(CallSpec, WantsTheRanksToDivideTheWidthWhereThereAreShards) {
  for (const char* program :
       {"v1 (a0: sum f32 row, a1: gather f32 vec) { x0: f32 row = all_reduce a0; x1: f32 vec = all_gather a1 } -> "
        "(x0: row)",
        "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row shard)"}) {
    CallAttributes a = Good();
    a.program = program;
    EXPECT_EQ(ErrorOf(a), "no error");
    a.width = 4095;
    EXPECT_EQ(ErrorOf(a),
              "one-shot all-reduce 3 (channel 7): attribute width is 4095, which 2 ranks (attribute group_size) do not "
              "divide, but the program has shards; expected a multiple");
    a.program = kPlain;
    EXPECT_EQ(ErrorOf(a), "no error") << "without shards any width will do";
  }
}

TEST(CallSpec, SaysWhichPartIsWrong) {
  CallAttributes a = Good();
  a.group_size = 3;
  EXPECT_NE(ErrorOf(a).find("(channel 7): attribute groups has 4 ids"), std::string::npos);
  a = Good();
  a.program = "v2 ()";
  EXPECT_NE(ErrorOf(a).find("(channel 7): attribute program: "), std::string::npos);
}

}  // namespace
}  // namespace jax_oneshot
