// Chains, on a driver that only takes notes: what is launched in which order, and how a time comes about.
#include "ffi_kernels/cuda/bench/chain.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace jax_oneshot::cuda::bench {
namespace {

testing::AssertionResult Says(const std::string& error, const std::string& part) {
  if (error.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << error << " does not say " << part;
}

// What the driver was asked for. One test at a time uses it.
struct Notes {
  std::map<Stream, std::vector<std::string>> captured;  // kernels by stream
  std::vector<std::string> names;                       // of functions, by handle
  int graphs_alive = 0, graphs_launched = 0;
  unsigned waiting_grid = 1;    // blocks of the one kernel that waits
  Status query = kSuccess;      // of streams
  std::vector<uint64_t> clock;  // what the device's clock memory holds
};
Notes notes;

std::string NameOf(Function function) {
  return notes.names[static_cast<size_t>(reinterpret_cast<intptr_t>(function)) - 1];
}

Status NoteLaunch(const LaunchConfig* config, Function function, void**, void**) {
  notes.captured[config->stream].push_back(NameOf(function));
  return kSuccess;
}

Status FakeFunction(Function* function, Module, const char* name) {
  notes.names.emplace_back(name);
  *function = reinterpret_cast<Function>(static_cast<intptr_t>(notes.names.size()));
  return kSuccess;
}

Status FakeCopy(void* to, DevicePointer, size_t bytes) {
  notes.clock.resize(bytes / sizeof(uint64_t));
  std::memcpy(to, notes.clock.data(), bytes);
  return kSuccess;
}

void FakeGraphs(CudaDriver* driver) {
  driver->cuStreamBeginCapture_v2 = [](Stream, int) { return kSuccess; };
  driver->cuStreamEndCapture = [](Stream, Graph*) { return kSuccess; };
  driver->cuGraphInstantiateWithFlags = [](GraphExec*, Graph, unsigned long long) {
    ++notes.graphs_alive;
    return kSuccess;
  };
  driver->cuGraphExecDestroy = [](GraphExec) {
    --notes.graphs_alive;
    return kSuccess;
  };
  driver->cuGraphDestroy = [](Graph) { return kSuccess; };
  driver->cuGraphUpload = [](GraphExec, Stream) { return kSuccess; };
  driver->cuGraphLaunch = [](GraphExec, Stream) {
    ++notes.graphs_launched;
    return kSuccess;
  };
  driver->cuGraphGetNodes = [](Graph, GraphNode*, size_t* count) {
    *count = 1;
    return kSuccess;
  };
  driver->cuGraphNodeGetType = [](GraphNode, int*) { return kSuccess; };
  driver->cuGraphKernelNodeGetParams_v2 = [](GraphNode, KernelNodeParameters* out) {
    *out = {};
    out->function = reinterpret_cast<Function>(intptr_t{99});  // none of the benchmark's own
    out->grid[0] = notes.waiting_grid;
    out->grid[1] = out->grid[2] = out->block[0] = out->block[1] = out->block[2] = 1;
    return kSuccess;
  };
  driver->cuGraphKernelNodeGetAttribute = [](GraphNode, int, void*) { return kSuccess; };
  driver->cuFuncGetAttribute = [](int*, int, Function) { return kSuccess; };
  driver->cuOccupancyMaxActiveBlocksPerMultiprocessor = [](int* blocks, Function, int, size_t) {
    *blocks = 1;
    return kSuccess;
  };
}

CudaDriver FakeDriver() {
  notes = {};
  CudaDriver driver;
  driver.cuGetErrorName = [](Status, const char** name) {
    *name = "CUDA_ERROR_X";
    return kSuccess;
  };
  driver.cuGetErrorString = driver.cuGetErrorName;
  driver.cuDeviceGetCount = [](int* count) {
    *count = 1;
    return kSuccess;
  };
  driver.cuDeviceGet = [](Device*, int) { return kSuccess; };
  driver.cuDevicePrimaryCtxRetain = [](Context*, Device) { return kSuccess; };
  driver.cuDevicePrimaryCtxRelease_v2 = [](Device) { return kSuccess; };
  driver.cuCtxSetCurrent = [](Context) { return kSuccess; };
  driver.cuDeviceGetName = [](char*, int, Device) { return kSuccess; };
  driver.cuDeviceGetAttribute = [](int* value, int, Device) {
    *value = 9;
    return kSuccess;
  };
  driver.cuStreamCreate = [](Stream* stream, unsigned) {
    static intptr_t last = 0;
    *stream = reinterpret_cast<Stream>(++last);
    return kSuccess;
  };
  driver.cuStreamDestroy_v2 = [](Stream) { return kSuccess; };
  driver.cuStreamQuery = [](Stream) { return notes.query; };
  driver.cuMemAlloc_v2 = [](DevicePointer*, size_t) { return kSuccess; };
  driver.cuMemFree_v2 = [](DevicePointer) { return kSuccess; };
  driver.cuMemsetD8_v2 = [](DevicePointer, unsigned char, size_t) { return kSuccess; };
  driver.cuMemcpyDtoH_v2 = FakeCopy;
  driver.cuModuleLoadData = [](Module*, const void*) { return kSuccess; };
  driver.cuModuleGetFunction = FakeFunction;
  driver.cuLaunchKernelEx = NoteLaunch;
  FakeGraphs(&driver);
  return driver;
}

// A device of 9 multiprocessors, each with room for one block of the kernel that waits.
struct Bench {
  std::unique_ptr<Gpu> gpu = *Gpu::Open(FakeDriver(), 2);
  BenchKernels kernels = *BenchKernels::Load(*gpu, "");
  Clock clock = *Clock::Make(*gpu, kernels);

  Result<Chain> Record(int links, const LaunchLink& launch) const {
    return Chain::Record(*gpu, clock, kernels, 2, links, launch);
  }
  LaunchLink Empty() const {
    return [this](int, int, Stream stream) { return kernels.LaunchEmpty(stream); };
  }
};

TEST(Chain, EveryRankHasAGateThenItsLinksThenAStamp) {
  const Bench bench;
  const Result<Chain> chain = bench.Record(2, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  for (int rank = 0; rank < 2; ++rank) {
    const std::vector<std::string> expected = {"OneshotBenchGate", "OneshotBenchEmpty", "OneshotBenchEmpty",
                                               "OneshotBenchStamp"};
    EXPECT_EQ(notes.captured[bench.gpu->stream(rank)], expected);
  }
}

TEST(Chain, ItsTimeIsTheSlowestRanksDividedByTheLinks) {
  const Bench bench;
  const Result<Chain> chain = bench.Record(4, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  notes.clock = {2, 1000, 1400, 1100, 1900};  // arrivals; start and end of both ranks
  EXPECT_EQ(chain->Run(), 200.0);
  EXPECT_EQ(notes.graphs_launched, 2);
}

TEST(Chain, LetsGoOfItsGraphs) {
  const Bench bench;
  { ASSERT_TRUE(bench.Record(1, bench.Empty())); }
  EXPECT_EQ(notes.graphs_alive, 0);
}

TEST(Chain, ALaunchThatFailsIsTheError) {
  const Bench bench;
  const Result<Chain> chain =
      bench.Record(1, [](int rank, int, Stream) -> Result<void> { return Err("rank " + std::to_string(rank)); });
  ASSERT_FALSE(chain);
  EXPECT_EQ(chain.error(), "rank 0");
}

TEST(Chain, RanksThatJustFitAreRecordedAndOneBlockMoreIsRefused) {
  const Bench bench;
  notes.waiting_grid = 4;
  EXPECT_TRUE(bench.Record(1, bench.Empty()));
  notes.waiting_grid = 5;
  const Result<Chain> chain = bench.Record(1, bench.Empty());
  ASSERT_FALSE(chain);
  EXPECT_TRUE(Says(chain.error(), "need 112 % of this one device"));
}

TEST(Chain, ARankThatCameTooLateIsAnError) {
  const Bench bench;
  const Result<Chain> chain = bench.Record(1, bench.Empty());
  ASSERT_TRUE(chain) << chain.error();
  notes.clock = {2, 0, kKernelDeadlineNs, 0, 1};
  const Result<double> ran = chain->Run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), "a rank did not start within 5 s of the others");
}

TEST(Gpu, ABusyDeviceIsGivenUpAfterTheDeadline) {
  const Bench bench;
  notes.query = kErrorNotReady;
  const Result<void> waited = bench.gpu->Wait(0.001);
  ASSERT_FALSE(waited);
  EXPECT_TRUE(Says(waited.error(), "a kernel waits for a rank that does not come"));
}

TEST(Gpu, NoDeviceIsAnErrorThatSaysWhereToLook) {
  CudaDriver driver = FakeDriver();
  driver.cuDeviceGetCount = [](int* count) {
    *count = 0;
    return kSuccess;
  };
  const Result<std::unique_ptr<Gpu>> gpu = Gpu::Open(driver, 1);
  ASSERT_FALSE(gpu);
  EXPECT_TRUE(Says(gpu.error(), "needs an NVIDIA GPU, and the driver offers none; is CUDA_VISIBLE_DEVICES set?"));
}

}  // namespace
}  // namespace jax_oneshot::cuda::bench
