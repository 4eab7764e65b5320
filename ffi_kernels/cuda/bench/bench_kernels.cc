// SPDX-License-Identifier: Apache-2.0
// Implementation of bench_kernels.h.
#include "ffi_kernels/cuda/bench/bench_kernels.h"

#include <utility>

#include "ffi_kernels/cuda/kernel/launch.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr char kSource[] =
#include "ffi_kernels/cuda/bench/bench_kernels_source.inc"
    ;

constexpr int kAddBlock = 256;
constexpr int kFirstWithEarlyStart = 90;  // compute capability from which kernels wait, see bench_kernels.cuh

// A launch takes the addresses of its arguments; the kernel's `uint4*` and our addresses are the same 64 bits.
template <typename T>
void* Argument(const T& value) {
  return const_cast<void*>(static_cast<const void*>(&value));
}

}  // namespace

Result<Compilation> CompileBenchKernels(const Nvrtc& nvrtc, const std::string& arch) {
  return nvrtc.Compile(kSource, arch, {"--std=c++17", "--ptxas-options=-v"});
}

Result<void> CheckWidth(int64_t width) {
  if (width > 0 && width <= kMaxWidth && width % (32 * kColumnsPerThread) == 0) return {};
  return Err("the benchmark's kernels take widths up to " + std::to_string(kMaxWidth) + " in steps of " +
             std::to_string(32 * kColumnsPerThread) + "; got " + std::to_string(width));
}

Result<BenchKernels> BenchKernels::Load(const Gpu& gpu, const std::string& cubin) {
  static constexpr std::array<const char*, kKernels> kNames = {
      "OneshotBenchGate",     "OneshotBenchStamp",          "OneshotBenchEmpty",
      "OneshotBenchPushPoll", "OneshotBenchAddNorm",        "OneshotBenchAdd",
      "OneshotBenchNorm",     "OneshotBenchShardStatistic", "OneshotBenchShardScale"};
  const Result<Module> module = gpu.LoadModule(cubin);
  if (!module) return Err(module.error());
  BenchKernels kernels(gpu);
  for (size_t i = 0; i < kNames.size(); ++i) {
    Result<Function> function = gpu.FindFunction(*module, kNames[i]);
    if (!function) return Err(function.error());
    ONESHOT_CUDA_RETURN_IF_ERROR(gpu.driver(),
                                 cuFuncSetAttribute(*function, kFunctionPreferredSharedMemory, kSharedMemoryPercent));
    kernels.functions_[i] = *function;
  }
  return kernels;
}

Result<RankKernels> RankKernels::Load(const RankGpus& gpus, const std::string& cubin) {
  RankKernels kernels(gpus);
  for (size_t i = 0; i < gpus.count(); ++i) {
    Result<BenchKernels> loaded = BenchKernels::Load(gpus.gpu(i), cubin);
    if (!loaded) return Err(loaded.error());
    kernels.by_gpu_.push_back(*loaded);
  }
  return kernels;
}

Result<void> BenchKernels::CheckStart(Start start) const {
  if (start == Start::kInOrder || compute_capability_ >= kFirstWithEarlyStart) return {};
  return Err("programmatic dependent launch takes sm_" + std::to_string(kFirstWithEarlyStart) +
             " or newer; this GPU is sm_" + std::to_string(compute_capability_));
}

Result<void> BenchKernels::Launch(Kernel kernel, const Where& where, std::vector<void*> parameters) const {
  if (Result<void> possible = CheckStart(where.start); !possible) return possible;
  LaunchAttribute early = {kLaunchProgrammaticStreamSerialization, 0, {{1, 0, 0}}};
  LaunchConfig config = {};
  config.grid[0] = static_cast<unsigned>(where.grid);
  config.block[0] = static_cast<unsigned>(where.block);
  config.grid[1] = config.grid[2] = config.block[1] = config.block[2] = 1;
  config.stream = where.stream;
  config.attributes = &early;
  config.attribute_count = where.start == Start::kEarly ? 1 : 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuLaunchKernelEx(&config, functions_[kernel], parameters.data(), nullptr));
  return {};
}

Result<void> BenchKernels::LaunchGate(Stream stream, DevicePointer arrived, int ranks, uint64_t deadline_ns,
                                      DevicePointer started) const {
  return Launch(kGate, {stream, 1, 1}, {Argument(arrived), Argument(ranks), Argument(deadline_ns), Argument(started)});
}

Result<void> BenchKernels::LaunchStamp(Stream stream, DevicePointer ended) const {
  return Launch(kStamp, {stream, 1, 1}, {Argument(ended)});
}

Result<void> BenchKernels::LaunchEmpty(Stream stream, Start start) const {
  return Launch(kEmpty, {stream, 1, 32, start}, {});
}

Result<void> BenchKernels::LaunchPushPoll(Stream stream, const PushPoll& call, Start start) const {
  return Launch(kPushPoll, {stream, 1, 32, start},
                {Argument(call.mailboxes), Argument(call.rank), Argument(call.ranks), Argument(call.calls),
                 Argument(call.deadline_ns)});
}

Result<void> BenchKernels::LaunchAddNorm(Stream stream, const NormCall& call, Start start) const {
  return Launch(kAddNorm, {stream, call.rows, call.width / kColumnsPerThread, start},
                {Argument(call.sum), Argument(call.residual), Argument(call.gamma), Argument(call.norm_out),
                 Argument(call.residual_out), Argument(call.width), Argument(call.epsilon)});
}

Result<void> BenchKernels::LaunchAddThenNorm(Stream stream, const NormCall& call) const {
  const int threads = call.rows * call.width / kColumnsPerThread;
  Result<void> added =
      Launch(kAdd, {stream, (threads + kAddBlock - 1) / kAddBlock, kAddBlock},
             {Argument(call.sum), Argument(call.residual), Argument(call.residual_out), Argument(threads)});
  if (!added) return added;
  return Launch(kNorm, {stream, call.rows, call.width / kColumnsPerThread},
                {Argument(call.residual_out), Argument(call.gamma), Argument(call.norm_out), Argument(call.width),
                 Argument(call.epsilon)});
}

Result<void> BenchKernels::LaunchShardStatistic(Stream stream, const ShardBuffers& buffers, int rows, int width) const {
  return Launch(kShardStatistic, {stream, rows, width / kColumnsPerThread},
                {Argument(buffers.sum), Argument(buffers.residual), Argument(buffers.residual_out),
                 Argument(buffers.statistic), Argument(buffers.first), Argument(buffers.columns)});
}

Result<void> BenchKernels::LaunchShardScale(Stream stream, const ShardBuffers& buffers, int rows, int width,
                                            float epsilon) const {
  return Launch(kShardScale, {stream, rows, buffers.columns / kColumnsPerThread},
                {Argument(buffers.residual_out), Argument(buffers.total), Argument(buffers.gamma),
                 Argument(buffers.norm_shard), Argument(width), Argument(buffers.first), Argument(epsilon)});
}

bool BenchKernels::NeverWaits(Function function) const {
  for (Kernel kernel : {kStamp, kEmpty, kAddNorm, kAdd, kNorm, kShardStatistic, kShardScale}) {
    if (functions_[kernel] == function) return true;
  }
  return false;
}

}  // namespace jax_oneshot::cuda::bench
