// SPDX-License-Identifier: Apache-2.0
// The handlers as XLA calls them: attributes in, then 8 devices' buffers, from as many threads.
#include "ffi_kernels/cpu/handler.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <thread>

#include "ffi_kernels/call_attributes.h"
#include "ffi_kernels/cpu/rank_data.h"
#include "ffi_kernels/fake_xla.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

constexpr int kRanks = 8;
constexpr int64_t kRows = 3, kWidth = 200;
constexpr char kNorm[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = load a1; "
    "x2: bf16 row = add x0, x1; x3: f32 row = convert x2; x4: f32 row = multiply x3, x3; "
    "x5: f32 rowscalar = reduce_sum x4; x6: f32 rowscalar = rsqrt x5; x7: f32 row = multiply x3, x6 } "
    "-> (x7: row, x2: row)";

FakeAttributes NormAttributes(int64_t timeout_ms = 60000) {
  return {{kAttrProgram, kNorm},
          {kAttrRows, kRows},
          {kAttrWidth, kWidth},
          {kAttrGroupMode, "cross_partition"},
          {kAttrGroups, std::vector<int64_t>()},
          {kAttrGroupSize, int64_t{kRanks}},
          {kAttrChannelId, int64_t{7}},
          {kAttrCall, int64_t{3}},
          {kAttrTimeoutMs, timeout_ms},
          {kAttrAlgorithm, "one_shot"}};
}

class CpuHandler : public ::testing::Test {
 protected:
  std::string Instantiate(const FakeAttributes& attributes) {
    return xla_.Instantiate(CpuInstantiateHandler(), attributes);
  }

  // One device's call, as partition `id`.
  std::string Execute(int64_t run, uint32_t id, const RankBuffers& buffers) const {
    std::array<uint32_t, 2> ids = {0, id};
    const auto input = [&](int i) { return const_cast<void*>(buffers.inputs[i]); };
    return xla_.Execute(
        CpuExecuteHandler(), run,
        {{ffi::BF16, {kRows, kWidth}, input(0)},
         {ffi::BF16, {kRows, kWidth}, input(1)},
         {ffi::U32, {}, &ids[0]},
         {ffi::U32, {}, &ids[1]}},
        {{ffi::F32, {kRows, kWidth}, buffers.outputs[0]}, {ffi::BF16, {1, kRows, kWidth}, buffers.outputs[1]}});
  }

  // `devices` threads with `calls` calls each, in varying order. Returns the errors by device.
  std::vector<std::string> ExecuteOn(int devices, int64_t run, int calls, const RankData& data) const {
    std::vector<std::string> errors(devices);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < devices; ++rank) {
      threads.emplace_back([&, rank] {
        std::mt19937 random(static_cast<uint32_t>(rank + 100 * run));
        for (int i = 0; i < calls && errors[rank].empty(); ++i) {
          if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
          errors[rank] = Execute(run, static_cast<uint32_t>(rank), data.buffers()[rank]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return errors;
  }

  RankData Data(uint32_t seed = 1) const { return RankData(program_, {kRows, kWidth, kRanks, seed}); }

  static void ExpectRight(const RankData& data) {
    const auto expected = data.Expected(0);
    EXPECT_EQ(data.output(0, 1), expected[1]);
    for (int64_t i = 0; i < kRows * kWidth; ++i) {
      const float want = ElementOf(DType::kF32, expected[0], i);
      ASSERT_NEAR(ElementOf(DType::kF32, data.output(0, 0), i), want, std::abs(want) * 1e-5) << i;
    }
    for (int rank = 1; rank < kRanks; ++rank) {
      EXPECT_EQ(data.output(rank, 0), data.output(0, 0));
      EXPECT_EQ(data.output(rank, 1), data.output(0, 1));
    }
  }

  const RowProgram program_ = *ParseRowProgram(kNorm);
  FakeXla xla_{CpuStateTypeId(), CpuStateTypeInfo()};
};

const std::vector<std::string> kNoErrors(kRanks);

TEST_F(CpuHandler, GivesEveryDeviceTheSameRightResultCallAfterCall) {
  ASSERT_EQ(Instantiate(NormAttributes()), "");
  const RankData data = Data();
  EXPECT_EQ(ExecuteOn(kRanks, 1, 100, data), kNoErrors);
  ExpectRight(data);
}

TEST_F(CpuHandler, ServesTwoRunsOfOneExecutableAtTheSameTime) {
  ASSERT_EQ(Instantiate(NormAttributes()), "");
  const RankData first = Data(1), second = Data(2);
  std::vector<std::string> errors;
  std::thread other([&] { errors = ExecuteOn(kRanks, 2, 30, second); });
  EXPECT_EQ(ExecuteOn(kRanks, 1, 30, first), kNoErrors);
  other.join();
  EXPECT_EQ(errors, kNoErrors);
  ExpectRight(first);
  ExpectRight(second);
}

TEST_F(CpuHandler, EndsWithTheNameOfADeviceThatNeverComes) {
  ASSERT_EQ(Instantiate(NormAttributes(/*timeout_ms=*/100)), "");
  const RankData data = Data();
  for (const std::string& error : ExecuteOn(kRanks - 1, 1, 1, data)) {
    EXPECT_NE(error.find("one-shot all-reduce 3 (channel 7)"), std::string::npos) << error;
    EXPECT_NE(error.find("rank 7 of group {0,1,2,3,4,5,6,7} never arrived within 0.1 s"), std::string::npos) << error;
  }
}

TEST_F(CpuHandler, NamesTheAttributesThatAreMissingInOneMessage) {
  FakeAttributes attributes = NormAttributes();
  attributes.erase(kAttrRows);
  attributes.erase(kAttrGroups);
  const std::string error = Instantiate(attributes);
  EXPECT_EQ(error.find("jax_oneshot.all_reduce: cannot read these attributes: rows ("), 0u) << error;
  EXPECT_NE(error.find("; groups ("), std::string::npos) << error;
}

constexpr char kOtherVersion[] = "The call was probably compiled by another version of jax-oneshot and then saved";

TEST_F(CpuHandler, RefusesAnAttributeThatItDoesNotKnow) {
  FakeAttributes attributes = NormAttributes();
  attributes["scale"] = int64_t{2};
  const std::string error = Instantiate(attributes);
  EXPECT_EQ(error.find("jax_oneshot.all_reduce: cannot read these attributes: scale (unknown). "), 0u) << error;
  EXPECT_NE(error.find(kOtherVersion), std::string::npos) << error;
}

TEST_F(CpuHandler, NamesTheVersionOfAProgramThatItDoesNotKnow) {
  FakeAttributes attributes = NormAttributes();
  attributes[kAttrProgram] = std::string("v2 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)");
  const std::string error = Instantiate(attributes);
  EXPECT_NE(error.find("expected the version 'v1'"), std::string::npos) << error;
  EXPECT_NE(error.find(kOtherVersion), std::string::npos) << error;
}

TEST_F(CpuHandler, SaysOfEveryBufferThatDoesNotFitWhatWasExpected) {
  ASSERT_EQ(Instantiate(NormAttributes()), "");
  const std::string error = xla_.Execute(CpuExecuteHandler(), 1, {{ffi::BF16, {kRows, kWidth - 1}, nullptr}}, {});
  EXPECT_EQ(error.find("one-shot all-reduce 3 (channel 7): the buffers do not fit the row program:"), 0u) << error;
}

TEST_F(CpuHandler, RefusesAnIdThatIsInNoGroup) {
  ASSERT_EQ(Instantiate(NormAttributes()), "");
  EXPECT_EQ(Execute(1, 8, Data().buffers()[0]),
            "one-shot all-reduce 3 (channel 7): partition 8 is in none of the groups {{0,1,2,3,4,5,6,7}}");
}

}  // namespace
}  // namespace jax_oneshot
