// SPDX-License-Identifier: Apache-2.0
// Stress tests of the protocol on one or several GPUs: ranks out of step, many graph replays, epochs that wrap, kernels
// of all sizes in one workspace, a rank that never arrives.
//
// The calls count: every rank sends x, and its next x is the mean of all + 1 + d, where d differs between ranks and
// adds up to zero. All values are integers below 2^24, hence exact; a single word that is late, early, torn or from
// another rank changes the count permanently.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/gpu_tests/gpu_run.h"
#include "ffi_kernels/cuda/kernel/test_programs.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {
namespace {

// Includes a row sum of zeros, so that rows spread over clusters are covered.
RowProgram CountingProgram(int ranks) {
  const std::string text =
      "v1 (a0: sum f32 row, a1: local f32 scalar, a2: local f32 row) { x0: f32 row = all_reduce a0; "
      "x1: f32 scalar = load a1; x2: f32 row = load a2; x3: f32 rowscalar = reduce_sum x2; x4: f32 scalar = constant " +
      std::to_string(ranks) +
      "; x5: f32 row = divide x0, x4; x6: f32 row = add x5, x1; x7: f32 row = add x6, x3 } -> (x7: row)";
  return ProgramOf(text.c_str());
}

template <typename T>
Bytes BytesOf(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Counting calls, which alternate between two buffers.
class Counter {
 public:
  static Result<std::unique_ptr<Counter>> Make(const LocalGroup& group,
                                               const std::shared_ptr<const GroupKernel>& kernel) {
    const LaunchPlan& plan = kernel->plan();
    const auto elements = static_cast<size_t>(plan.rows * plan.width);
    BuffersOfRanks inputs;
    for (int rank = 0; rank < group.size(); ++rank) {
      const float step = 1.0f + Difference(rank, group.size());
      inputs.push_back({BytesOf(std::vector<float>(elements, 0.0f)), BytesOf(std::vector<float>{step}),
                        BytesOf(std::vector<float>(elements, 0.0f))});
    }
    std::unique_ptr<Counter> counter(new Counter);
    Result<std::unique_ptr<GroupCall>> there = GroupCall::Make(group, kernel, inputs);
    if (!there) return Err(there.error());
    Result<std::unique_ptr<GroupCall>> back = GroupCall::Make(group, kernel, inputs);
    if (!back) return Err(back.error());
    counter->calls_[0] = *std::move(there);
    counter->calls_[1] = *std::move(back);
    for (int rank = 0; rank < group.size(); ++rank) {
      counter->calls_[1]->arguments(rank).inputs[0] = counter->calls_[0]->arguments(rank).outputs[0];
      counter->calls_[1]->arguments(rank).outputs[0] = counter->calls_[0]->arguments(rank).inputs[0];
    }
    return counter;
  }

  // Adds up to zero over the ranks.
  static float Difference(int rank, int ranks) { return static_cast<float>(2 * rank - (ranks - 1)); }

  // The ranks' launches of one call may be made one by one, in any order.
  Result<void> Launch(int rank) const { return calls_[made_ % 2]->Launch(rank); }
  void CountCall() { ++made_; }
  Result<void> LaunchAll() {
    Result<void> launched = calls_[made_ % 2]->LaunchAll();
    CountCall();
    return launched;
  }

  // The expected value of all elements of all ranks after `calls` calls. An even number ends in the first buffers.
  void ExpectCount(const LocalGroup& group, const LaunchPlan& plan, int64_t calls) const {
    const CudaDriver& driver = TestGpu::Get().driver();
    for (int rank = 0; rank < group.size(); ++rank) {
      std::vector<float> values(static_cast<size_t>(plan.rows * plan.width));
      const KernelArguments& arguments = calls_[0]->arguments(rank);
      const DevicePointer at = calls % 2 == 0 ? arguments.inputs[0] : arguments.outputs[0];
      const Result<void> copied =
          driver.Check("cuMemcpyDtoH_v2", driver.cuMemcpyDtoH_v2(values.data(), at, values.size() * sizeof(float)));
      ASSERT_TRUE(copied) << copied.error();
      const float expected = calls == 0 ? 0 : static_cast<float>(calls) + Difference(rank, group.size());
      const auto wrong = std::find_if(values.begin(), values.end(), [&](float x) { return x != expected; });
      ASSERT_EQ(wrong - values.begin(), values.end() - values.begin())
          << "rank " << rank << ": " << *wrong << " after " << calls << " calls, expected " << expected;
    }
  }

 private:
  Counter() = default;
  std::unique_ptr<GroupCall> calls_[2];
  int64_t made_ = 0;
};

class ProtocolOnGpu : public ::testing::TestWithParam<Algorithm> {
 protected:
  void SetUp() override {
    if (!TestGpu::Get().present()) GTEST_SKIP() << TestGpu::Get().why_absent();
  }

  static const CudaDriver& driver() { return TestGpu::Get().driver(); }

  static std::shared_ptr<const GroupKernel> KernelFor(Shape shape) { return KernelFor(shape, GetParam()); }
  static std::shared_ptr<const GroupKernel> KernelFor(Shape shape, Algorithm algorithm) {
    shape.algorithm = algorithm;
    const auto kernel = TestGpu::Get().Load(CountingProgram(shape.ranks), shape);
    EXPECT_TRUE(kernel) << kernel.error();
    return kernel.value_or(nullptr);
  }

  void MakeGroup(int ranks, int64_t capacity) {
    auto group = TestGpu::Get().MakeGroup(ranks, capacity);
    ASSERT_TRUE(group) << group.error();
    group_ = *std::move(group);
  }

  std::unique_ptr<Counter> CounterFor(const std::shared_ptr<const GroupKernel>& kernel) {
    auto counter = Counter::Make(*group_, kernel);
    EXPECT_TRUE(counter) << counter.error();
    return counter ? *std::move(counter) : nullptr;
  }

  void Finish() {
    const Result<void> done = group_->Synchronise(60);
    ASSERT_TRUE(done) << done.error();
  }

  std::unique_ptr<LocalGroup> group_;
};

// Keeps a rank's stream busy for some time.
class Delay {
 public:
  static Result<std::unique_ptr<Delay>> Make(const RankGpus& gpus) {
    const Result<Compilation> compiled = LoadNvrtc()->Compile(
        "extern \"C\" __global__ void delay(unsigned long long ns) { unsigned long long begin, now; "
        "asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(begin)); "
        "do { asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(now)); } while (now - begin < ns); }",
        "sm_90", {});
    if (!compiled) return Err(compiled.error());
    std::unique_ptr<Delay> delay(new Delay);
    for (size_t i = 0; i < gpus.count(); ++i) {
      const Result<Module> module = gpus.gpu(i).LoadModule(compiled->cubin);
      if (!module) return Err(module.error());
      const Result<Function> function = gpus.gpu(i).FindFunction(*module, "delay");
      if (!function) return Err(function.error());
      delay->functions_.push_back(*function);
    }
    return delay;
  }

  Result<void> Launch(const LocalGroup& group, int rank, uint64_t ns) const {
    void* parameters[] = {&ns};
    const LaunchConfig config = {{1, 1, 1}, {1, 1, 1}, 0, group.stream(rank), nullptr, 0};
    const Function function = functions_[TestGpu::Get().gpus().index(rank)];
    if (Result<void> used = group.Use(rank); !used) return used;
    ONESHOT_CUDA_RETURN_IF_ERROR(TestGpu::Get().driver(), cuLaunchKernelEx(&config, function, parameters, nullptr));
    return {};
  }

 private:
  Delay() = default;
  std::vector<Function> functions_;  // by GPU
};

TEST_P(ProtocolOnGpu, CountsRightWhenRanksAreOutOfStep) {
  const auto delay = Delay::Make(TestGpu::Get().gpus());
  ASSERT_TRUE(delay) << delay.error();
  // In the last shape there are fewer pieces than ranks, so some ranks own nothing.
  for (const Shape& shape : {Shape{8, 1024, 2}, {8, 1024, 4}, {8, 1024, 8}, {200, 512, 4}, {1, 100, 8}}) {
    const int ranks = shape.ranks;
    const auto kernel = KernelFor(shape);
    ASSERT_NO_FATAL_FAILURE(MakeGroup(ranks, kernel->plan().message_bytes));
    const auto counter = CounterFor(kernel);
    std::mt19937 random(static_cast<uint32_t>(ranks));
    constexpr int kCalls = 400;
    for (int call = 0; call < kCalls; ++call) {
      for (int rank = 0; rank < ranks; ++rank) {
        // Long compared with a call's few microseconds: other ranks get two calls ahead and must wait there.
        const uint64_t ns = random() % 4 == 0 ? random() % 60000 : 0;
        ASSERT_TRUE((*delay)->Launch(*group_, rank, ns));
        ASSERT_TRUE(counter->Launch(rank));
      }
      counter->CountCall();
    }
    ASSERT_NO_FATAL_FAILURE(Finish());
    counter->ExpectCount(*group_, kernel->plan(), kCalls);
  }
}

// A graph of `calls` calls on every rank's stream, forked from and joined to rank 0's.
Result<GraphExec> RecordGraph(const LocalGroup& group, Counter* counter, int calls) {
  const CudaDriver& driver = TestGpu::Get().driver();
  Event fork = nullptr;
  if (Result<void> used = group.Use(0); !used) return Err(used.error());
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuEventCreate(&fork, kEventDisableTiming));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamBeginCapture_v2(group.stream(0), kCaptureThreadLocal));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuEventRecord(fork, group.stream(0)));
  for (int rank = 1; rank < group.size(); ++rank) {
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamWaitEvent(group.stream(rank), fork, 0));
  }
  for (int call = 0; call < calls; ++call) {
    if (Result<void> launched = counter->LaunchAll(); !launched) return Err(launched.error());
  }
  for (int rank = 1; rank < group.size(); ++rank) {
    Event join = nullptr;
    if (Result<void> used = group.Use(rank); !used) return Err(used.error());
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuEventCreate(&join, kEventDisableTiming));
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuEventRecord(join, group.stream(rank)));
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamWaitEvent(group.stream(0), join, 0));
  }
  Graph graph = nullptr;
  GraphExec exec = nullptr;
  if (Result<void> used = group.Use(0); !used) return Err(used.error());
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuStreamEndCapture(group.stream(0), &graph));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphInstantiateWithFlags(&exec, graph, 0));
  return exec;
}

TEST_P(ProtocolOnGpu, CountsRightOverManyReplaysOfAGraph) {
  constexpr int kCalls = 6;
  const std::pair<Shape, int> cases[] = {
      {{4, 1024, 2}, 100000}, {{4, 1024, 4}, 20000}, {{4, 1024, 8}, 5000}, {{300, 512, 4}, 2000}};
  for (const auto& [shape, replays] : cases) {
    const auto kernel = KernelFor(shape);
    ASSERT_NO_FATAL_FAILURE(MakeGroup(shape.ranks, kernel->plan().message_bytes));
    const auto counter = CounterFor(kernel);
    const Result<GraphExec> graph = RecordGraph(*group_, counter.get(), kCalls);
    ASSERT_TRUE(graph) << graph.error();
    for (int replay = 0; replay < replays; ++replay) {
      ASSERT_EQ(driver().cuGraphLaunch(*graph, group_->stream(0)), kSuccess);
    }
    ASSERT_NO_FATAL_FAILURE(Finish());
    counter->ExpectCount(*group_, kernel->plan(), int64_t{kCalls} * replays);
    driver().cuGraphExecDestroy(*graph);
  }
}

TEST_P(ProtocolOnGpu, CountsRightWhileEpochsWrap) {
  for (const Shape& shape : {Shape{3, 777, 3}, {1, 5, 8}, {900, 64, 4}}) {
    const auto kernel = KernelFor(shape);
    ASSERT_NO_FATAL_FAILURE(MakeGroup(shape.ranks, kernel->plan().message_bytes));
    const Result<void> set = group_->SetEpoch(kEpochPeriod - 4);
    ASSERT_TRUE(set) << set.error();
    const auto counter = CounterFor(kernel);
    for (int call = 0; call < 12; ++call) ASSERT_TRUE(counter->LaunchAll());
    ASSERT_NO_FATAL_FAILURE(Finish());
    counter->ExpectCount(*group_, kernel->plan(), 12);
  }
}

TEST_P(ProtocolOnGpu, CountsRightWhenKernelsOfAllSizesShareAWorkspace) {
  const Shape shapes[] = {{1, 4096, 4}, {64, 512, 4}, {7, 33, 4}, {200, 64, 4}, {2, 8192, 4}, {1, 1, 4}};
  std::vector<std::shared_ptr<const GroupKernel>> kernels;
  int64_t capacity = 0;
  for (const Shape& shape : shapes) {
    // Mixed with one-shot kernels: both use the slots alternately.
    for (const Algorithm algorithm : {Algorithm::kOneShot, GetParam()}) {
      kernels.push_back(KernelFor(shape, algorithm));
      capacity = std::max(capacity, kernels.back()->plan().message_bytes);
    }
  }
  ASSERT_NO_FATAL_FAILURE(MakeGroup(4, capacity));
  std::vector<std::unique_ptr<Counter>> counters;
  for (const auto& kernel : kernels) counters.push_back(CounterFor(kernel));
  std::vector<int64_t> calls(counters.size(), 0);
  std::mt19937 random(1);
  for (int call = 0; call < 1000; ++call) {
    const size_t which = random() % counters.size();
    ASSERT_TRUE(counters[which]->LaunchAll());
    ++calls[which];
  }
  ASSERT_NO_FATAL_FAILURE(Finish());
  for (size_t i = 0; i < counters.size(); ++i) counters[i]->ExpectCount(*group_, kernels[i]->plan(), calls[i]);
}

TEST_P(ProtocolOnGpu, CountsRightInTwoGroupsOnTheSameDevices) {
  const auto kernel = KernelFor({8, 1024, 2});
  ASSERT_NO_FATAL_FAILURE(MakeGroup(2, kernel->plan().message_bytes));
  const std::unique_ptr<LocalGroup> other = std::move(group_);
  const auto other_counter = Counter::Make(*other, kernel);
  ASSERT_TRUE(other_counter) << other_counter.error();
  ASSERT_NO_FATAL_FAILURE(MakeGroup(2, kernel->plan().message_bytes));
  const auto counter = CounterFor(kernel);
  for (int call = 0; call < 300; ++call) {
    ASSERT_TRUE(counter->LaunchAll());
    if (call % 3 != 0) continue;
    ASSERT_TRUE((*other_counter)->LaunchAll());
  }
  ASSERT_NO_FATAL_FAILURE(Finish());
  ASSERT_TRUE(other->Synchronise(60));
  counter->ExpectCount(*group_, kernel->plan(), 300);
  (*other_counter)->ExpectCount(*other, kernel->plan(), 100);
}

INSTANTIATE_TEST_SUITE_P(By, ProtocolOnGpu, ::testing::Values(Algorithm::kOneShot, Algorithm::kTwoShot),
                         [](const auto& info) { return info.param == Algorithm::kOneShot ? "OneShot" : "TwoShot"; });

// A trap destroys the context, so this runs in its own process.
[[noreturn]] void WaitForRankTwoInVain(Algorithm algorithm) {
  const auto kernel = TestGpu::Get().Load(CountingProgram(4), {2, 512, 4, algorithm});
  auto group = TestGpu::Get().MakeGroup(4, (*kernel)->plan().message_bytes);
  (*group)->set_timeout(std::chrono::milliseconds(200));
  BuffersOfRanks inputs(4, {Bytes(2 * 512 * 4), Bytes(4), Bytes(2 * 512 * 4)});
  auto call = GroupCall::Make(**group, *kernel, inputs);
  for (const int rank : {0, 1, 3}) {
    (*call)->arguments(rank).call = 77;
    if (Result<void> launched = (*call)->Launch(rank); !launched)
      std::fprintf(stderr, "%s\n", launched.error().c_str());
  }
  const Result<void> done = (*group)->Synchronise(10);
  std::fprintf(stderr, "%s\n", done ? "nobody was missed" : done.error().c_str());
  std::_Exit(0);
}

TEST(ProtocolOnGpuDeathTest, GivesUpOnARankThatNeverComesAndNamesIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  if (!LoadCudaDriver()) GTEST_SKIP() << LoadCudaDriver().error();
  for (const Algorithm algorithm : {Algorithm::kOneShot, Algorithm::kTwoShot}) {
    EXPECT_EXIT(WaitForRankTwoInVain(algorithm), ::testing::ExitedWithCode(0), "call 77: gave up waiting for rank 2\n");
  }
}

}  // namespace
}  // namespace jax_oneshot::cuda
