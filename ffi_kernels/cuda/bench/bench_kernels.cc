// In:  NVRTC and a GPU. Out: the kernels of bench_kernels.cuh, compiled and loaded. See bench_kernels.h.
#include "ffi_kernels/cuda/bench/bench_kernels.h"

#include <utility>

namespace jax_oneshot::cuda::bench {
namespace {

constexpr char kSource[] =
#include "ffi_kernels/cuda/bench/bench_kernels_source.inc"
    ;

constexpr int kAddBlock = 256;

// A launch takes addresses of its arguments; the kernel's own `uint4*` and our addresses are the same 64 bits.
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
  BenchKernels kernels(gpu.driver());
  for (size_t i = 0; i < kNames.size(); ++i) {
    Result<Function> function = gpu.FindFunction(*module, kNames[i]);
    if (!function) return Err(function.error());
    kernels.functions_[i] = *function;
  }
  return kernels;
}

Result<void> BenchKernels::Launch(Kernel kernel, Stream stream, int grid, int block,
                                  std::vector<void*> parameters) const {
  LaunchConfig config = {};
  config.grid[0] = static_cast<unsigned>(grid);
  config.block[0] = static_cast<unsigned>(block);
  config.grid[1] = config.grid[2] = config.block[1] = config.block[2] = 1;
  config.stream = stream;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuLaunchKernelEx(&config, functions_[kernel], parameters.data(), nullptr));
  return {};
}

Result<void> BenchKernels::LaunchGate(Stream stream, DevicePointer arrived, int ranks, uint64_t deadline_ns,
                                      DevicePointer started) const {
  return Launch(kGate, stream, 1, 1, {Argument(arrived), Argument(ranks), Argument(deadline_ns), Argument(started)});
}

Result<void> BenchKernels::LaunchStamp(Stream stream, DevicePointer ended) const {
  return Launch(kStamp, stream, 1, 1, {Argument(ended)});
}

Result<void> BenchKernels::LaunchEmpty(Stream stream) const { return Launch(kEmpty, stream, 1, 32, {}); }

Result<void> BenchKernels::LaunchPushPoll(Stream stream, const Mailboxes& mailboxes, int rank, int ranks,
                                          DevicePointer calls, uint64_t deadline_ns) const {
  return Launch(kPushPoll, stream, 1, 32,
                {Argument(mailboxes), Argument(rank), Argument(ranks), Argument(calls), Argument(deadline_ns)});
}

Result<void> BenchKernels::LaunchAddNorm(Stream stream, const NormBuffers& buffers, int rows, int width,
                                         float epsilon) const {
  return Launch(kAddNorm, stream, rows, width / kColumnsPerThread,
                {Argument(buffers.sum), Argument(buffers.residual), Argument(buffers.gamma), Argument(buffers.norm_out),
                 Argument(buffers.residual_out), Argument(width), Argument(epsilon)});
}

Result<void> BenchKernels::LaunchAddThenNorm(Stream stream, const NormBuffers& buffers, int rows, int width,
                                             float epsilon) const {
  const int threads = rows * width / kColumnsPerThread;
  Result<void> added =
      Launch(kAdd, stream, (threads + kAddBlock - 1) / kAddBlock, kAddBlock,
             {Argument(buffers.sum), Argument(buffers.residual), Argument(buffers.residual_out), Argument(threads)});
  if (!added) return added;
  return Launch(kNorm, stream, rows, width / kColumnsPerThread,
                {Argument(buffers.residual_out), Argument(buffers.gamma), Argument(buffers.norm_out), Argument(width),
                 Argument(epsilon)});
}

Result<void> BenchKernels::LaunchShardStatistic(Stream stream, const ShardBuffers& buffers, int rows, int width) const {
  return Launch(kShardStatistic, stream, rows, width / kColumnsPerThread,
                {Argument(buffers.sum), Argument(buffers.residual), Argument(buffers.residual_out),
                 Argument(buffers.statistic), Argument(buffers.first), Argument(buffers.columns)});
}

Result<void> BenchKernels::LaunchShardScale(Stream stream, const ShardBuffers& buffers, int rows, int width,
                                            float epsilon) const {
  return Launch(kShardScale, stream, rows, buffers.columns / kColumnsPerThread,
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
